package render

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/dial"
)

func sample() Message {
	return Message{
		Message: dial.Message{Topic: "a/b", Payload: []byte(`{"t":21}`), QoS: 1, Retain: true, ContentType: "application/json",
			Expiry: 1500 * time.Millisecond, ReplyTo: "r", Correlation: []byte{0xff, 1},
			Headers: []dial.Header{{Name: "k", Value: "v"}, {Name: "k", Value: "w"}}},
		Time: time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC), Protocol: "mqtt", Client: "c", ID: 7,
	}
}

func TestFormatKnowsMosquittosLetters(t *testing.T) {
	t.Parallel()
	for template, want := range map[string]string{
		"%t %p":                      `a/b {"t":21}`,
		"%q%r%l%m":                   "1187",
		"%%|%C|%D|%E|%R|%F":          "%|application/json|ff01|2|r|1",
		"%I %U":                      "2026-01-02T03:04:05+0000 1767323045.006000000",
		"%x":                         "7b2274223a32317d",
		"%X":                         "7B2274223A32317D",
		"[%6t][%-6t][%06q][%.1t]":    "[   a/b][a/b   ][000001][a]",
		`a\tb\n\\\e\x`:               "a\tb\n\\\x1b\\x",
		"@Y-@m-@d @H:@M:@S.@N @s @@": "2026-01-02 03:04:05.006000000 1767323045 @",
		"%P":                         "k:v k:w",
		"%{protocol} %{client} %{header:k} %{header:none}": "mqtt c v ",
		"%J": `{"ts":"2026-01-02T03:04:05.006Z","protocol":"mqtt","topic":"a/b","qos":1,"retain":true,"client":"c","properties":` +
			`{"content_type":"application/json","correlation":"ff01","expiry":1.5,"headers":[["k","v"],["k","w"]],"reply_to":"r"},"payload":{"t":21}}`,
		"plain": "plain",
		"":      "",
	} {
		f, err := Format(template)
		if err != nil {
			t.Errorf("%q: %v", template, err)
			continue
		}
		var b strings.Builder
		if err := f(&b, sample()); err != nil || b.String() != want+"\n" {
			t.Errorf("%q: got %q, want %q (%v)", template, b.String(), want, err)
		}
	}
}

func TestFormatRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for _, template := range []string{"%", "%5", "%z", "@", "@!", "%{x}", "%{header:a", "%.", "%-"} {
		if _, err := Format(template); err == nil {
			t.Errorf("%q is accepted", template)
		}
	}
}

func TestOutputs(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"raw":    "{\"t\":21}\n",
		"pretty": "03:04:05.006 a/b q1 retained  {\n  \"t\": 21\n}\n",
		"csv":    "2026-01-02T03:04:05.006Z,mqtt,a/b,1,true,\"{\"\"t\"\":21}\"\n",
	}
	for _, word := range Outputs() {
		f, err := Output(word)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := f(&b, sample()); err != nil {
			t.Fatal(err)
		}
		if w, ok := want[word]; ok && b.String() != w {
			t.Errorf("%s: %q", word, b.String())
		}
	}
	if _, err := Output("xml"); err == nil {
		t.Error("xml is accepted")
	}
}

func TestEnvelopeCarriesBinaryAsBase64(t *testing.T) {
	t.Parallel()
	m := sample()
	m.Payload = []byte{0xff, 0}
	var b strings.Builder
	if err := jsonl(&b, m); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatal(err)
	}
	if got["payload_b64"] != "/wA=" || strings.Count(b.String(), "\n") != 1 {
		t.Error(b.String())
	}
	if _, has := got["payload"]; has {
		t.Error("a binary payload is shown as text")
	}
	m.Payload = nil
	b.Reset()
	if err := jsonl(&b, m); err != nil || !strings.Contains(b.String(), `"payload":""`) {
		t.Error(b.String(), err)
	}
}

func FuzzFormatNeverPanics(f *testing.F) {
	for _, s := range []string{"%t %p\\n", "%-08.3x@Y", "%{header:a}", "%"} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, s string) {
		if r, err := Format(s); err == nil {
			var b strings.Builder
			_ = r(&b, sample())
		}
	})
}
