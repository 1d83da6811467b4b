package metrics

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/entrepot/entrepot/adapters"
)

func scrape(t *testing.T, m *adapters.Metrics, sources ...Source) string {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	Handler(New(m, sources...)).ServeHTTP(w, r)
	if w.Code != 200 {
		t.Fatal(w.Code, w.Body)
	}
	return w.Body.String()
}

func TestCountersAndSourcesAreExposed(t *testing.T) {
	t.Parallel()
	m := adapters.NewMetrics()
	m.Traffic("mqtt").Messages[adapters.In][1].Add(1)
	m.Traffic("mqtt").Bytes[adapters.In][1].Add(64)
	m.Lost("mqtt", "coap", "headers")
	m.Dropped("stomp", "queue_full")
	m.Counter("no_such_name").Add(1)
	text := scrape(t, m, func(emit Emit) { emit("entrepot_subscriptions", 7, "default") })
	for _, want := range []string{
		`entrepot_messages_total{direction="in",protocol="mqtt",qos="1"} 1.0`,
		`entrepot_message_bytes_total{direction="in",protocol="mqtt",qos="1"} 64.0`,
		`entrepot_mapping_dropped_total{field="headers",from="mqtt",to="coap"} 1.0`,
		`entrepot_messages_dropped_total{protocol="stomp",reason="queue_full"} 1.0`,
		`entrepot_subscriptions{namespace="default"} 7.0`,
		`go_goroutines`, "# EOF",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, "no_such_name") {
		t.Error("an undefined metric is exposed")
	}
}

func TestNamesAndUnitsPassTheLinter(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	m := adapters.NewMetrics()
	timing := NewTiming(AuthSeconds)
	timing.Observe(time.Millisecond, "file", "ok")
	syncs := NewTiming(FsyncSeconds)
	syncs.Observe(time.Millisecond)
	deliveries := NewTiming(DeliverySeconds)
	deliveries.Observe(time.Millisecond, "mqtt", "coap")
	r.MustRegister(timing.vec, syncs.vec, deliveries.vec)
	r.MustRegister(New(m, func(emit Emit) {
		for _, d := range Definitions {
			emit(d.Name, 1, make([]string, len(d.Labels))...)
		}
	}))
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != len(Definitions) {
		t.Errorf("%d of %d definitions are exposed", len(families), len(Definitions))
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestDefinitionsAreCompleteAndUnique(t *testing.T) {
	t.Parallel()
	bounded := []string{"protocol", "listener", "direction", "qos", "reason", "result", "namespace", "bridge", "resource", "action", "backend",
		"limit", "from", "to", "field", "state", "op", "event", "version", "commit", "go", "sha256", "type", "method", "code", "what", "answer", "name", "dir", "packet", "rc"}
	seen := map[string]bool{}
	for _, d := range Definitions {
		if seen[d.Name] || !regexp.MustCompile(`^entrepot_[a-z][a-z0-9_]*$`).MatchString(d.Name) || d.Help == "" {
			t.Errorf("%+v", d)
		}
		seen[d.Name] = true
		if total := strings.HasSuffix(d.Name, "_total"); total != (d.Kind == Counter) {
			t.Errorf("%s: a counter, and only a counter, ends in _total", d.Name)
		}
		for _, l := range d.Labels {
			if !slices.Contains(bounded, l) {
				t.Errorf("%s: label %s is not from a bounded set", d.Name, l)
			}
		}
	}
}

// TestEveryCounterIsDefined reads the source: a counter that a room makes must have its definition here, with as many labels.
func TestEveryCounterIsDefined(t *testing.T) {
	t.Parallel()
	defined := map[string]Definition{}
	for _, d := range Definitions {
		defined[d.Name] = d
	}
	found := 0
	err := filepath.WalkDir("../..", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			name, labels, ok := counterCall(n)
			if !ok {
				return true
			}
			found++
			d, known := defined[prefix+name]
			switch {
			case !known:
				t.Errorf("%s: counter %q has no definition in internal/metrics", set.Position(n.Pos()), name)
			case labels > len(d.Labels):
				t.Errorf("%s: counter %q has labels %v", set.Position(n.Pos()), name, d.Labels)
			}
			return true
		})
		return nil
	})
	if err != nil || found == 0 {
		t.Fatal(found, err)
	}
}

// counterCall recognises x.Counter("name", labels...).
func counterCall(n ast.Node) (name string, labels int, ok bool) {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) == 0 {
		return "", 0, false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != "Counter" {
		return "", 0, false
	}
	lit, ok := call.Args[0].(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", 0, false
	}
	name, err := strconv.Unquote(lit.Value)
	return name, len(call.Args) - 1, err == nil
}

// A metric that is documented and that nothing counts would always read 0.
func TestEveryDocumentedMetricIsCountedSomewhere(t *testing.T) {
	t.Parallel()
	named := map[string]bool{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root:
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(filepath.Base(path), "definitions"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				if text, err := strconv.Unquote(l.Value); err == nil {
					named[strings.TrimPrefix(text, "entrepot_")] = true
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range Definitions {
		if !named[strings.TrimPrefix(d.Name, "entrepot_")] {
			t.Errorf("nothing counts %s", d.Name)
		}
	}
}

// Who asks in text gets fixed buckets, who asks for protocol buffers the native histogram as well.
func TestTimingsAreNativeHistograms(t *testing.T) {
	t.Parallel()
	deliveries := NewTiming(DeliverySeconds)
	for i := range 100 {
		deliveries.Observe(time.Duration(i+1)*time.Millisecond, "mqtt", "coap")
	}
	r := prometheus.NewRegistry()
	r.MustRegister(deliveries.vec)
	families, err := r.Gather()
	if err != nil || len(families) != 1 {
		t.Fatal(families, err)
	}
	h := families[0].Metric[0].Histogram
	if h.GetSampleCount() != 100 || len(h.GetPositiveSpan()) == 0 || len(h.GetPositiveDelta()) < 20 || len(h.GetBucket()) != len(buckets) {
		t.Error(h)
	}
	if sum := h.GetSampleSum(); sum < 5.04 || sum > 5.06 {
		t.Error(sum)
	}
}
