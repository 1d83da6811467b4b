package script

import (
	"bufio"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// Counter reads the counters of a gateway from the /metrics of its http:// listener.
func Counter(t *testing.T, url string) func(metric string, labels map[string]string) float64 {
	return func(metric string, labels map[string]string) float64 {
		t.Helper()
		resp, err := http.Get(url + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return sum(resp.Body, metric, labels)
	}
}

func sum(r io.Reader, metric string, labels map[string]string) (total float64) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), metric)
		if !ok || rest == "" || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		set, value := "", rest[1:]
		if rest[0] == '{' {
			set, value, _ = strings.Cut(rest[1:], "} ")
		}
		matches := true
		for k, v := range labels {
			matches = matches && strings.Contains(","+set+",", ","+k+"="+strconv.Quote(v)+",")
		}
		if n, err := strconv.ParseFloat(value, 64); matches && err == nil {
			total += n
		}
	}
	return total
}
