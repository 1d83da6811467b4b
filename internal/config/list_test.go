package config

import (
	"strings"
	"testing"
)

func TestAListOfStructuresIsDecodedAndItsMistakesHavePlaces(t *testing.T) {
	t.Parallel()
	_, r, err := load(t, "mqtt:\n  rules:\n    - {on: in, from: a/+}\n    - on: out\n      from: b\n      most: 2\n", Input{})
	if err != nil || len(r.Rules) != 2 || r.Rules[0] != (rule{On: "in", From: "a/+"}) || r.Rules[1] != (rule{"out", "b", 2}) {
		t.Errorf("%+v %v", r.Rules, err)
	}
	for text, want := range map[string]struct {
		line, column int
		path, says   string
	}{
		"- {on: in}\n    - {on: on}":               {4, 12, "mqtt.rules[1].on", `mqtt.rules[1].on: "on" is not valid: it must be in or out`},
		"- {on: in}\n    - {form: a}":              {4, 8, "mqtt.rules[1]", `unknown key "form" in mqtt.rules[1]`},
		"- from: a\n      most: 3":                 {4, 13, "mqtt.rules[0].most", "at most 2"},
		"- from: a\n    - word":                    {4, 7, "mqtt.rules[1]", `mqtt.rules[1] holds keys, not "word"`},
		"- from: a\n    - on: in\n      from: bad": {5, 13, "mqtt", "mqtt: rules[1].from: it is bad"},
		"- from: a\n    - from: missing":           {4, 7, "mqtt", "mqtt: rules[1].most: it is missing"},
	} {
		_, _, err := load(t, "mqtt:\n  rules:\n    "+text+"\n", Input{})
		if err == nil {
			t.Errorf("%q is accepted", text)
			continue
		}
		p := problems(t, err)[0]
		if p.Line != want.line || p.Column != want.column || p.Path != want.path || !strings.Contains(p.Message, want.says) {
			t.Errorf("%q: %d:%d %s %q", text, p.Line, p.Column, p.Path, p.Message)
		}
	}
}

func TestAListOfStructuresBySetAndEnvironment(t *testing.T) {
	t.Parallel()
	_, r, err := load(t, "", Input{Set: []string{"mqtt.rules=[{on: in, from: a/#}, {from: b}]", "mqtt.rules[1].most=1"}})
	if err != nil || len(r.Rules) != 2 || r.Rules[0].From != "a/#" || r.Rules[1].Most != 1 {
		t.Errorf("%+v %v", r.Rules, err)
	}
}
