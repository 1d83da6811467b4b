package script

import (
	"strings"
	"testing"
)

func TestScriptsAreRead(t *testing.T) {
	t.Parallel()
	s, err := Parse("x", "# About it.\nnot in=mqttsn it is small\nsubscribe s \"a b/#\" qos=1\npublish a/b \"x y\" qos=1 retain \"header:a b=c d\"\nreceive s a/b hex:00ff\n")
	if err != nil {
		t.Fatal(err)
	}
	if s.About != "About it." || len(s.Steps) != 3 || s.Runs("mqttsn", "coap") || !s.Runs("coap", "mqttsn") {
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
	text := "# HELP a\na_total{x=\"1\",y=\"2\"} 3\na_total{x=\"1\",y=\"3\"} 4\na_total{x=\"11\"} 5\nab_total{x=\"1\"} 6\n"
	if n := sum(strings.NewReader(text), "a_total", map[string]string{"x": "1"}); n != 7 {
		t.Error(n)
	}
}
