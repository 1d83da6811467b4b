package topic

import (
	"errors"
	"strings"
	"testing"
)

func TestAMQP_7_1_TheTableOfTheCodec(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ topic, key, plain, back string }{
		{"a/b", "a.b", "a.b", "a/b"},
		{"/a/b", ".a.b", ".a.b", "/a/b"}, {"a//b", "a..b", "a..b", "a//b"}, {"a/b/", "a.b.", "a.b.", "a/b/"}, {"/", ".", ".", "/"},
		{"a.b/c", "a%2Eb.c", "a.b.c", "a/b/c"},
		{"a*b/c", "a%2Ab.c", "a*b.c", ""},
		{"50%/x", "50%25.x", "50%.x", "50%/x"},
		{"ü/é", "ü.é", "ü.é", "ü/é"},
		{"*", "%2A", "*", ""},
	} {
		if got := Dotted.EncodeName(c.topic); got != c.key {
			t.Errorf("EncodeName(%q) = %q, want %q", c.topic, got, c.key)
		}
		if got, err := Dotted.DecodeName(c.key); got != c.topic || err != nil {
			t.Errorf("DecodeName(%q) = %q, %v", c.key, got, err)
		}
		if got := RabbitMQ.EncodeName(c.topic); got != c.plain {
			t.Errorf("plain EncodeName(%q) = %q, want %q", c.topic, got, c.plain)
		}
		if got, err := RabbitMQ.DecodeName(c.plain); got != c.back || (err != nil) != (c.back == "") {
			t.Errorf("plain DecodeName(%q) = %q, %v", c.plain, got, err)
		}
	}
}

func TestAMQP_7_1_ForeignKeysBecomeLegalTopics(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key, topic, plain string
		err, plainErr     error
	}{
		{"a.b", "a/b", "a/b", nil, nil},
		{"a/b.c", "a%2Fb/c", "a/b/c", nil, nil},
		{"a*b", "a*b", "", nil, ErrWildcard},
		{"a+b.c", "a%2Bb/c", "", nil, ErrWildcard},
		{"a#b", "a%23b", "", nil, ErrWildcard},
		{"50%", "50%", "50%", nil, nil},
		{"", "", "", ErrEmpty, ErrEmpty},
		{"a\x00b", "a%00b", "", nil, ErrNUL},
		{"%2e%2a%25%23%2F%zz%2", ".*%%23%2F%zz%2", "%2e%2a%25%23%2F%zz%2", nil, nil},
		{"a\x01", "", "", ErrControl, ErrControl},
		{"a\xff", "", "", ErrUTF8, ErrUTF8},
	} {
		if got, err := Dotted.DecodeName(c.key); got != c.topic || !errors.Is(err, c.err) {
			t.Errorf("DecodeName(%q) = %q, %v", c.key, got, err)
		}
		if got, err := RabbitMQ.DecodeName(c.key); got != c.plain || !errors.Is(err, c.plainErr) {
			t.Errorf("plain DecodeName(%q) = %q, %v", c.key, got, err)
		}
	}
}

func TestAMQP_7_2_BindingsAndFilters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ binding, filter string }{
		{"a.*.c", "a/+/c"}, {"*", "+"}, {"*.*", "+/+"}, {"a.#", "a/#"}, {"#", "#"}, {"#.b", "#/b"}, {"a.#.c", "a/#/c"},
		{"*.#", "+/#"}, {"a%2Eb.*", "a.b/+"}, {"%2A.#", "*/#"}, {"a%25.b", "a%/b"}, {"", ""},
	} {
		got, err := Dotted.DecodeFilter(c.binding)
		if got != c.filter || (err != nil) != (c.binding == "") {
			t.Errorf("DecodeFilter(%q) = %q, %v", c.binding, got, err)
		}
		if got := Dotted.EncodeFilter(c.filter); got != c.binding {
			t.Errorf("EncodeFilter(%q) = %q, want %q", c.filter, got, c.binding)
		}
	}
	for binding, want := range map[string]string{"#.#": "#", "a.#.#": "a/#", "#.*": "+/#", "a+b.#": "a%2Bb/#", "a/b.*": "a%2Fb/+"} {
		if got, err := Dotted.DecodeFilter(binding); got != want || err != nil {
			t.Errorf("DecodeFilter(%q) = %q, %v", binding, got, err)
		}
	}
	for binding, want := range map[string]error{"": ErrEmpty, "#.a.#.b.#.c.#.d.#": ErrManyHashes, "a\x01.#": ErrControl} {
		if got, err := Dotted.DecodeFilter(binding); got != "" || !errors.Is(err, want) {
			t.Errorf("DecodeFilter(%q) = %q, %v", binding, got, err)
		}
	}
	if _, err := RabbitMQ.DecodeFilter("a*b.#"); !errors.Is(err, ErrWildcard) {
		t.Errorf("plain: %v", err)
	}
}

func TestAMQP_AM11_TheSparkplugNamespaceIsOneWord(t *testing.T) {
	t.Parallel()
	for _, c := range []Codec{{Sparkplug: true}, {Sparkplug: true, Plain: true}} {
		for topic, key := range map[string]string{
			"spBv1.0/g/NDATA/n": "spBv1___0.g.NDATA.n", "spBv1.0": "spBv1___0", "spBv1x0/a": "spBv1x0.a", "a/b": "a.b",
		} {
			if got := c.EncodeName(topic); got != key {
				t.Errorf("%+v: EncodeName(%q) = %q", c, topic, got)
			}
			if got, err := c.DecodeName(key); got != topic || err != nil {
				t.Errorf("%+v: DecodeName(%q) = %q, %v", c, key, got, err)
			}
			if got := c.EncodeFilter(topic + "/#"); got != key+".#" {
				t.Errorf("%+v: EncodeFilter = %q", c, got)
			}
			if got, err := c.DecodeFilter(key + ".#"); got != topic+"/#" || err != nil {
				t.Errorf("%+v: DecodeFilter = %q, %v", c, got, err)
			}
		}
	}
	if got := Dotted.EncodeName("spBv1.0/g"); got != "spBv1%2E0.g" {
		t.Errorf("without the option: %q", got)
	}
}

func FuzzCodec_AM8(f *testing.F) {
	for _, s := range []string{"a/b", "a.b/c", "a%2Fb", "50%", "*", "#", "a#b", "a+b", "/", "%2525", "%23", "a\x00", "*.#.*", "ü.é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if CheckName(s, Limits{}) == nil {
			checkNameLaws(t, s)
		}
		if CheckWideFilter(s, Limits{}) == nil {
			key := Dotted.EncodeFilter(s)
			if back, err := Dotted.DecodeFilter(key); back != Normalize(s) || err != nil {
				t.Errorf("filter %q: key %q comes back as %q, %v", s, key, back, err)
			}
		}
		for _, c := range []Codec{Dotted, RabbitMQ} {
			if name, err := c.DecodeName(s); err == nil && CheckName(name, Limits{}) != nil {
				t.Errorf("key %q becomes the illegal topic %q", s, name)
			}
			if filter, err := c.DecodeFilter(s); err == nil && (CheckWideFilter(filter, Limits{}) != nil || Normalize(filter) != filter) {
				t.Errorf("key %q becomes the illegal filter %q", s, filter)
			}
		}
	})
}

func checkNameLaws(t *testing.T, name string) {
	key := Dotted.EncodeName(name)
	if back, err := Dotted.DecodeName(key); back != name || err != nil {
		t.Errorf("topic %q: key %q comes back as %q, %v", name, key, back, err)
	}
	if strings.ContainsAny(key, "*#/") || string(Dotted.AppendName(nil, name)) != key {
		t.Errorf("topic %q: key %q", name, key)
	}
	if strings.Count(key, ".") != strings.Count(name, "/") {
		t.Errorf("topic %q: key %q has other levels", name, key)
	}
}

func BenchmarkEncodeName(b *testing.B) {
	dst := make([]byte, 0, 64)
	for b.Loop() {
		dst = Dotted.AppendName(dst[:0], "site/7/line/3/sensor.temperature")
	}
}

func BenchmarkDecodeName(b *testing.B) {
	for b.Loop() {
		if _, err := Dotted.DecodeName("site.7.line.3.sensor%2Etemperature"); err != nil {
			b.Fatal(err)
		}
	}
}
