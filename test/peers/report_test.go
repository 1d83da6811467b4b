package main

import (
	"math"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/test/peers/load"
)

func TestRatiosAreThoseOfEachRound(t *testing.T) {
	t.Parallel()
	if got := ratio([]float64{1, 30, 5}, []float64{10, 100, 10}); got != .3 {
		t.Error(got)
	}
	if got := ratio([]float64{1, math.NaN(), 5}, []float64{10, 100, 10}); got != .3 {
		t.Errorf("a round that failed counts: %v", got)
	}
	if !math.IsNaN(ratio([]float64{1}, nil)) || median([]float64{4, 1, 2, 3}) != 2.5 {
		t.Error("medians")
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	r := &row{goals: []goal{atMost(.05, mosquitto), atLeast(3, "")}, values: map[string][]float64{entrepot: {1, 2, 3}, mosquitto: {10, 20, 30}}}
	if got := r.verdicts(); got != " ≤ 0.050 × mosquitto; ≥ 3.00 | **missed**: 0.100 (0.100 to 0.100); **missed**: 2.00 (1.00 to 3.00) |" {
		t.Error(got)
	}
	r.goals = []goal{atMost(.1, mosquitto), atMost(1, relayed)}
	if got := r.verdicts(); !strings.HasSuffix(got, "| met: 0.100 (0.100 to 0.100); not measured |") {
		t.Error(got)
	}
}

func TestTheReportNamesLossesAndWhoWasTheBottleneck(t *testing.T) {
	t.Parallel()
	b := &bench{rounds: 1, loadCore: 1, brokerCores: []int{0}}
	w := workload{name: "w", about: "a workload", rows: []*row{cpuRow("row", atMost(.5, mosquitto))}}
	b.done = []*measured{{w, []string{entrepot, mosquitto}, map[string][]*result{
		entrepot:  {{values: map[string]float64{"cpu": 1}, own: .2, bound: true, account: load.Account{Expected: 9, Lost: 1}}},
		mosquitto: {{values: map[string]float64{"cpu": 4}, own: .3, account: load.Account{Expected: 9}}},
	}}}
	text := b.report()
	for _, want := range []string{"| row | µs | 1.00 | 4.00 |", "| 0.250 | ≤ 0.500 × mosquitto | met: 0.250 |", "| w | entrepot | 9 | 1 | 0 | 0 | **missed** |", "| w | 0.200* | 0.300 |"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestABinaryBeforeIsComparedByRound(t *testing.T) {
	t.Parallel()
	b := &bench{rounds: 2, before: "old", loadCore: 1, brokerCores: []int{0}}
	one := func(cpu float64) *result { return &result{values: map[string]float64{"cpu": cpu}, own: .2} }
	w := workload{name: "w", about: "a workload", rows: []*row{cpuRow("row")}}
	b.done = []*measured{{w, []string{entrepot, earlier}, map[string][]*result{entrepot: {one(1), one(3)}, earlier: {one(2), one(4)}}}}
	text := b.report()
	for _, want := range []string{"| row | µs | 2.00 | 3.00 |", "| row | 0.625 (0.500 to 0.750) |"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestDigitsAreWrittenInPlace(t *testing.T) {
	t.Parallel()
	frame, _, _ := load.Publish("f/07/0000/t", 0, false, load.MinPayload)
	number("/0000/", 1000)(frame, 2345)
	if !strings.Contains(string(frame), "f/07/0345/t") {
		t.Errorf("%q", frame)
	}
}
