package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// room stands for the section of a protocol.
type room struct {
	MaxQoS    int               `yaml:"max_qos" min:"0" max:"2"`
	Retry     time.Duration     `min:"1s" max:"1h"`
	Body      int64             `yaml:"max_body"`
	Depth     int               `unlimited:"-1"`
	Share     Percent           `yaml:"share"`
	Rate      Rate              `yaml:"rate"`
	Enabled   bool              `yaml:"enabled"`
	Topics    map[uint16]string `yaml:"topics"`
	Names     []string          `yaml:"names"`
	Mode      string            `enum:"first,second"`
	Queue     words             `plain:"session"`
	Rules     []rule            `yaml:"rules"`
	Forbidden func()
}

// rule is an element of a list of structures.
type rule struct {
	On   string `yaml:"on" enum:"in,out"`
	From string `yaml:"from"`
	Most int    `yaml:"most" max:"2"`
}

type words struct{ Session, Named int }

func load(t *testing.T, text string, in Input) (*Config, *room, error) {
	t.Helper()
	r := &room{MaxQoS: 2, Retry: 10 * time.Second, Enabled: true}
	in.Sections = map[string]any{"mqtt": r}
	in.Protocols = map[string][]string{"mqtt": {"mqtt"}, "ws": {"mqtt"}}
	if text != "" {
		in.File = filepath.Join(t.TempDir(), "entrepot.yaml")
		if err := os.WriteFile(in.File, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load(in)
	return c, r, err
}

func problems(t *testing.T, err error) Problems {
	t.Helper()
	var ps Problems
	if !errors.As(err, &ps) {
		t.Fatalf("want problems, got %v", err)
	}
	return ps
}

func TestNoConfigurationServesEveryProtocolOnLoopback(t *testing.T) {
	t.Parallel()
	c, _, err := load(t, "", Input{})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Listeners) != len(DefaultListeners()) {
		t.Fatalf("%d listeners", len(c.Listeners))
	}
	for _, l := range c.Listeners {
		if !l.Address.Loopback() || !*l.Anonymous || l.Insecure {
			t.Errorf("%s: loopback %v, anonymous %v, insecure %v", l.URL, l.Address.Loopback(), *l.Anonymous, l.Insecure)
		}
	}
	if c.Node.Data != "./entrepot-data" || c.Log.Level != "info" || !strings.HasPrefix(c.Sum, "e3b0c442") {
		t.Errorf("%+v", c)
	}
}

func TestC10_TypesAreWrittenAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	_, r, err := load(t, `
mqtt:
  max_qos: 1
  retry: 1m30s
  max_body: 64KiB
  depth: unlimited
  share: 80%
  rate: 2000/s
  enabled: false
  topics: {1: a/b, 2: "c d"}
  names: [x, y]
  mode: second
  queue: 7
`, Input{})
	if err != nil {
		t.Fatal(err)
	}
	if r.MaxQoS != 1 || r.Retry != 90*time.Second || r.Body != 65536 || r.Depth != -1 || r.Share != 80 || r.Rate != 2000 ||
		r.Enabled || r.Topics[2] != "c d" || len(r.Names) != 2 || r.Mode != "second" || r.Queue.Session != 7 {
		t.Errorf("%+v", r)
	}
}

func TestC10_WrongValuesAreRefusedInPlainWords(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"enabled: yes":              `mqtt.enabled: "yes" is not valid: it must be true or false`,
		"enabled: True":             "it must be true or false",
		"retry: 5":                  "a duration is written",
		"retry: 2h":                 "between 1s and 1h",
		"max_qos: 3":                "between 0 and 2",
		"max_qos: abc":              "it must be a whole number",
		"max_qos: unlimited":        "this key has no unlimited",
		"max_body: 64KB":            "it must be a whole number, or a size",
		"share: 120%":               "a share is written 80%",
		"rate: 5":                   "a rate is written 2000/s",
		"mode: third":               "it must be first or second",
		"max_qos: [1]":              "mqtt.max_qos is one value, not a list",
		"names: {a: b}":             "mqtt.names is a list, not keys of its own",
		"queue: [1]":                "mqtt.queue holds keys, not a list",
		"topics: 3":                 "mqtt.topics holds keys",
		"topics: {70000: a}":        "negative or too large",
		"enabled:":                  "mqtt.enabled has no value",
		"max_body: 99999999999TiB":  "it must be a whole number, or a size",
		"retry: 99999999999999999d": "a duration is written",
	} {
		_, _, err := load(t, "mqtt:\n  "+line+"\n", Input{})
		ps := problems(t, err)
		if len(ps) != 1 || !strings.Contains(ps[0].Message, want) || ps[0].Line != 2 {
			t.Errorf("%s: %v", line, err)
		}
		for _, bad := range []string{"interface", "reflect", "strconv", "config.", "int64", "uint16"} {
			if strings.Contains(err.Error(), bad) {
				t.Errorf("%s: C15: a Go name in %q", line, err)
			}
		}
	}
}

func TestC14_UnknownKeyHasPlaceExcerptAndSuggestion(t *testing.T) {
	t.Parallel()
	_, _, err := load(t, "listeners:\n  - url: mqtt://127.0.0.1:1883\n    anonymus: true\n", Input{})
	ps := problems(t, err)
	got := strings.ReplaceAll(ps[0].String(), ps[0].File, "entrepot.yaml")
	want := `entrepot.yaml:3:5: unknown key "anonymus" in listeners[0] (mqtt://127.0.0.1:1883)
   1 | listeners:
   2 |   - url: mqtt://127.0.0.1:1883
>  3 |     anonymus: true
           ^
  did you mean "anonymous"?    more: /docs/errors#E-CONFIG-UNKNOWN-KEY`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestC14_AllMistakesAreReportedAtOnceInOrder(t *testing.T) {
	t.Parallel()
	_, _, err := load(t, `mqtt:
  max_qos: 9
  max_qos: 1
  retri: 5s
listeners:
  - url: mqt://127.0.0.1
  - {url: "mqtt://127.0.0.1:1", enabled: maybe}
log: {level: loud}
nodes: {}
`, Input{Set: []string{"mqtt.retry=x", "nonsense"}})
	ps := problems(t, err)
	want := []string{
		`2 mqtt.max_qos: "9"`, `3 key "max_qos" is given twice`, `4 unknown key "retri"`, `6 listeners[0]: "mqt://127.0.0.1": unknown scheme "mqt"; did you mean "mqtt"?`,
		`7 listeners[1] (mqtt://127.0.0.1:1).enabled: "maybe"`, `8 log.level: "loud"`, `9 unknown section "nodes"`, `0 write key=value`, `0 mqtt.retry: "x"`,
	}
	if len(ps) != len(want) {
		t.Fatalf("%d problems:\n%v", len(ps), err)
	}
	for i, p := range ps {
		if got := string(rune('0'+p.Line)) + " " + p.Message; !strings.HasPrefix(got, want[i]) {
			t.Errorf("%d: got %s, want %s", i, got, want[i])
		}
	}
}

func TestC4_FlagsBeatEnvironmentBeatsFile(t *testing.T) {
	t.Parallel()
	file := "mqtt: {max_qos: 0, retry: 2s, depth: 3}\n"
	_, r, err := load(t, file, Input{
		Environ: []string{"ENTREPOT_MQTT__MAX_QOS=1", "ENTREPOT_MQTT__RETRY=3s", "ENTREPOT_PORT=tcp://10.0.0.1:80", "HOME=/"},
		Set:     []string{"mqtt.max_qos=2", "mqtt.names=[a, b]", "mqtt.max_qos=1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.MaxQoS != 1 || r.Retry != 3*time.Second || r.Depth != 3 || len(r.Names) != 2 {
		t.Errorf("%+v", r)
	}
}

func TestC11_UnknownVariablesWithTwoUnderscoresAreErrors(t *testing.T) {
	t.Parallel()
	_, _, err := load(t, "", Input{Environ: []string{"ENTREPOT_MQT__RETRY=3s", "ENTREPOT_MQTT__RETRIES=3s", "ENTREPOT_CONFIG=x"}})
	ps := problems(t, err)
	if len(ps) != 2 || ps[0].Hint != `did you mean "mqtt"?` || !strings.Contains(ps[1].Message, `unknown key "retries" in mqtt`) {
		t.Fatal(err)
	}
	if !strings.HasPrefix(ps[0].String(), "environment ENTREPOT_MQT__RETRY: ") {
		t.Error(ps[0].String())
	}
}

func TestC11_VariablesAreReplacedInScalarsOnly(t *testing.T) {
	t.Parallel()
	c, _, err := load(t, "node: {name: \"${A}-${B:-b}-$$x-$SYS\", data: '${EMPTY:-d}'}\n", Input{Environ: []string{"A=x: {y: 1}", "EMPTY="}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Node.Name != "x: {y: 1}-b-$x-$SYS" || filepath.Base(c.Node.Data) != "d" {
		t.Errorf("%+v", c.Node)
	}
	_, _, err = load(t, "node:\n  name: ${NOT_SET}\n", Input{})
	if ps := problems(t, err); len(ps) != 1 || ps[0].Line != 2 || ps[0].Code != CodeVariable {
		t.Error(err)
	}
}

func TestC3_ListenReplacesAllListeners(t *testing.T) {
	t.Parallel()
	c, _, err := load(t, "listeners: ['stomp://127.0.0.1']\n", Input{Listen: []string{"mqtt://127.0.0.1:0?max_qos=1", "http://127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Listeners) != 2 || c.Listeners[0].Address.Port != 0 || c.Listeners[1].Address.Port != 8088 {
		t.Fatalf("%+v", c.Listeners)
	}
	if q := c.Listeners[0].Sections["mqtt"].(*room).MaxQoS; q != 1 {
		t.Errorf("max_qos of the listener is %d", q)
	}
}

func TestAListenersKeysStartFromTheSection(t *testing.T) {
	t.Parallel()
	c, r, err := load(t, `
listeners:
  - {url: "mqtt://127.0.0.1:1", max_qos: 0}
  - url: ws://127.0.0.1
mqtt: {max_qos: 1, depth: 4}
`, Input{})
	if err != nil {
		t.Fatal(err)
	}
	one, two := c.Listeners[0].Sections["mqtt"].(*room), c.Listeners[1].Sections["mqtt"].(*room)
	if one.MaxQoS != 0 || one.Depth != 4 || two.MaxQoS != 1 || r.MaxQoS != 1 {
		t.Errorf("%d %d %d %d", one.MaxQoS, one.Depth, two.MaxQoS, r.MaxQoS)
	}
}

func TestSecurityS14_AnonymousOffLoopbackNeedsPlainWords(t *testing.T) {
	t.Parallel()
	for url, ok := range map[string]bool{
		"mqtt://127.0.0.1":                                true,
		"mqtt://[::1]:1883":                               true,
		"mqtt://localhost:1883":                           true,
		"mqtt+unix:///run/entrepot.sock":                  true,
		"mqtt://0.0.0.0":                                  false,
		"mqtt://:1883":                                    false,
		"mqtt://[::]":                                     false,
		"mqtt://10.0.0.1":                                 false,
		"mqtt://example.org":                              false,
		"mqtt://10.0.0.1?anonymous=true":                  false,
		"mqtt://10.0.0.1?insecure=true":                   false,
		"mqtt://10.0.0.1?anonymous=true&insecure=true":    true,
		"mqtt://127.0.0.1?anonymous=false":                false,
		"mqtt://10.0.0.1?anonymous=false&insecure=true":   false,
		"http://10.0.0.1?anonymous=true&insecure=true":    true,
		"http://10.0.0.1":                                 false,
		"coap://127.0.0.1.example.org":                    false,
		"mqtt://127.0.0.1:1883?anonymous=true&insecure=1": false,
	} {
		_, _, err := load(t, "", Input{Listen: []string{url}})
		if (err == nil) != ok {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestListenerURLsAreChecked(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"127.0.0.1:1883":                "is not a URL",
		"mqtt://127.0.0.1:70000":        "port 70000 is not between",
		"mqtt://127.0.0.1:x":            "invalid port",
		"mqtt://127.0.0.1:":             "the port is missing",
		"mqtt://127.0.0.1/x":            "has no path",
		"mqtt://u:p@127.0.0.1":          "holds no user and password",
		"mqtt://127.0.0.1#x":            "has no #",
		"mqtt+unix://host/x":            "three slashes",
		"nats://127.0.0.1":              "unknown scheme",
		"mqtt://127.0.0.1?max_qoss=1":   "unknown key",
		"mqtt://127.0.0.1?max_qos=9":    "between 0 and 2",
		"stomp://127.0.0.1:1?max_qos=1": "unknown key",
	} {
		_, _, err := load(t, "", Input{Listen: []string{url}})
		if ps := problems(t, err); !strings.Contains(ps[0].Message, want) {
			t.Errorf("%s: %v", url, err)
		}
	}
	_, _, err := load(t, "", Input{Listen: []string{"mqtt://127.0.0.1", "mqtt://127.0.0.1:1883"}})
	if ps := problems(t, err); ps[0].Code != CodeDuplicate {
		t.Error(err)
	}
}

func TestBrokenFilesAreReportedWithoutAGoWord(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"a: [1, 2", "\tx: 1", "- a\n- b", "a: *b", "<<: {a: 1}", "\xff\xfe", "a: !!int 3", "just words", "a: b: c",
		strings.Repeat("[", 5000), "a: &a [*a, *a]", "x: {a: 1, a: 2}", "---\na: 1\n---\nb: 1\n", "{", "? x", "\x00",
		"a: &a [1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\n" +
			"e: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f]",
	} {
		_, _, err := load(t, text, Input{})
		for _, p := range problems(t, err) {
			if p.Line < 1 || p.Column < 1 || p.Message == "" || strings.Contains(p.Message, "ast.") {
				t.Errorf("%.20q: %+v", text, p)
			}
		}
	}
}

// Editors of some systems put a mark before a text, which YAML allows.
func TestAByteOrderMarkIsNoPartOfTheFirstKey(t *testing.T) {
	t.Parallel()
	if _, r, err := load(t, "\ufeffmqtt: {max_qos: 1}\n", Input{}); err != nil || r.MaxQoS != 1 {
		t.Error(err)
	}
}

func TestATabIsCalledOne(t *testing.T) {
	t.Parallel()
	_, _, err := load(t, "mqtt:\n\tmax_qos: 1\n", Input{})
	if p := problems(t, err)[0]; p.Line != 2 || p.Message != "not valid YAML: found a tab that cannot start any token" {
		t.Errorf("%+v", p)
	}
}

// Validate is what a room checks itself.
func (r *room) Validate() error {
	if r.Depth == 13 {
		return errors.New("mqtt.depth: 13 is unlucky")
	}
	for i, x := range r.Rules {
		if x.From == "bad" {
			return fmt.Errorf("mqtt.rules[%d].from: it is bad", i)
		}
		if x.From == "missing" {
			return fmt.Errorf("mqtt.rules[%d].most: it is missing", i)
		}
	}
	return nil
}

func TestWhatARoomRefusesIsShownAtItsKey(t *testing.T) {
	t.Parallel()
	_, _, err := load(t, "mqtt:\n  max_qos: 1\n  depth: 13\nlisteners:\n  - {url: 'ws://127.0.0.1', depth: 13}\n", Input{})
	ps := problems(t, err)
	if ps[0].Line != 3 || ps[0].Message != "mqtt: depth: 13 is unlucky" || ps[1].Line != 5 {
		t.Error(err)
	}
}

func TestUnreadableFilesAreReported(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(dir, "none.yaml"): "there is no such file",
		dir:                             "is a directory",
	} {
		_, err := Load(Input{File: path})
		if ps := problems(t, err); !strings.Contains(ps[0].String(), want) {
			t.Error(err)
		}
	}
}

func TestEmptySectionsMeanDefaults(t *testing.T) {
	t.Parallel()
	c, r, err := load(t, "# only comments\nmqtt:\nlog:\nlisteners:\n", Input{})
	if err != nil {
		t.Fatal(err)
	}
	if r.MaxQoS != 2 || c.Log.Level != "info" || len(c.Listeners) == 0 {
		t.Errorf("%+v %+v", r, c)
	}
}

func TestSnakeMakesKeysOfGoNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"MaxPacketSize": "max_packet_size", "QueueQoS0": "queue_qos0", "URL": "url", "MaxURLBytes": "max_url_bytes", "A": "a"} {
		if got := Snake(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func FuzzLoadNeverPanics(f *testing.F) {
	for _, s := range []string{"mqtt: {max_qos: 1}", "listeners:\n  - url: ws://127.0.0.1\n", "a: &x [*x]", "mqtt:\n  queue: {session: 1}", "node: {name: '${A:-b}'}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		root, _ := parse("f", text)
		if root == nil {
			return
		}
		expand(root, nil)
		r := &room{}
		c := Default()
		c.root, c.sources = root, []source{{path: "f", text: text}}
		c.schema = schema{config: c, sections: map[string]any{"mqtt": r}, protocols: map[string][]string{"mqtt": {"mqtt"}}}
		ps := c.Finish(c.schema.decode(root))
		_ = ps.Error()
	})
}

func TestD3_EveryCodeHasItsParagraph(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range Codes() {
		if !strings.Contains(string(text), "\n## "+code+"\n") {
			t.Errorf("%s is not in docs/errors.md", code)
		}
	}
}
