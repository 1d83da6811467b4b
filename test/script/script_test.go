package script

import (
	"context"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/internal/dial"
)

// named is a peer that has a name and can retain.
type named string

func (n named) Protocol() string                                         { return string(n) }
func (n named) Says() Ability                                            { return Ability{Ability: dial.Ability{Retain: true}} }
func (n named) Shows() Ability                                           { return Ability{} }
func (n named) Publish(context.Context, dial.Message) error              { return nil }
func (n named) Subscribe(context.Context, string, int) (Receiver, error) { return nil, nil }

func TestScriptsAreRead(t *testing.T) {
	t.Parallel()
	s, err := Parse("x", "# About it.\nnot in=mqttsn it is small\nsubscribe s \"a b/#\" qos=1\npublish a/b \"x y\" qos=1 retain \"header:a b=c d\"\nreceive s a/b hex:00ff\n")
	if err != nil {
		t.Fatal(err)
	}
	if s.About != "About it." || len(s.Steps) != 3 || s.Runs(named("mqttsn"), named("coap")) || !s.Runs(named("coap"), named("mqttsn")) {
		t.Errorf("%+v", s)
	}
	p := s.Steps[1]
	if p.Message.QoS != 1 || !p.Message.Retain || string(p.Message.Payload) != "x y" || p.Message.Headers[0].Name != "a b" || p.Message.Headers[0].Value != "c d" {
		t.Errorf("%+v", p)
	}
	if string(s.Steps[2].Message.Payload) != "\x00\xff" || s.Steps[0].Message.Topic != "a b/#" {
		t.Errorf("%+v", s.Steps)
	}
}

func TestBrokenScriptsAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# a\n", "publish a b\n", "# a\nnonsense a b c", "# a\npublish a", "# a\npublish a hex:0", "# a\npublish a b qos=x",
		"# a\npublish a b colour=red", "# a\nonly mqtt", "# a\npublish a size:3"} {
		if s, err := Parse("x", text); err == nil {
			t.Errorf("%q: %+v", text, s)
		}
	}
}

func TestEveryScriptOfTheMatrixIsRead(t *testing.T) {
	t.Parallel()
	all, err := Load("../matrix/testdata")
	if err != nil || len(all) < 10 {
		t.Fatal(len(all), err)
	}
}

func TestCountersAreSummed(t *testing.T) {
	t.Parallel()
	text := "# HELP a\na_total{x=\"1\",y=\"2\"} 3\na_total{x=\"1\",y=\"3\"} 4\na_total{x=\"11\"} 5\nab_total{x=\"1\"} 6\nplain 9\n"
	if n := sum(strings.NewReader(text), "a_total", map[string]string{"x": "1"}); n != 7 {
		t.Error(n)
	}
	if n := sum(strings.NewReader(text), "plain", nil); n != 9 {
		t.Error(n)
	}
}
