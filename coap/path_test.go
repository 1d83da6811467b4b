package coap

import (
	"net/url"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/coap/message"
)

func pathOptions(segments ...string) (o message.Options) {
	for _, s := range segments {
		o.Add(message.URIPath, []byte(s))
	}
	return o
}

func TestCoAP_R5_SegmentsAreTheLevelsOfTheTopic(t *testing.T) {
	t.Parallel()
	for want, segments := range map[string][]string{
		"room/t":     {"room", "t"},
		"/a":         {"", "a"},
		"a/":         {"a", ""},
		"a//b":       {"a", "", "b"},
		"a%2Fb/c":    {"a/b", "c"},
		"%2B":        {"%2B"},
		"a%252Fb":    {"a%252Fb"},
		"$queue/n":   {"$queue", "n"},
		"é/\u2603":   {"é", "\u2603"},
		"%2F%2F/%2F": {"//", "/"},
	} {
		if got := string(message.AppendTopic(nil, pathOptions(segments...))); got != want {
			t.Errorf("%q: %q, want %q", segments, got, want)
		}
	}
}

func TestCoAP_R5_WildcardsAreWholeSegments(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{"+": true, "#": true, "a+": false, "%2B": false, "": false} {
		if got := hasWildcard(pathOptions("a", s)); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}

func TestSecondDecodingIsOnlyForEmqxClients(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"%2B": "+", "a%2": "a%2", "%zz": "%zz", "%252B": "%2B", "100%": "100%"} {
		if got := string(appendDecoded(nil, []byte(in))); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// FuzzTopicPath is R6: decode(encode(topic)) = topic.
func FuzzTopicPath(f *testing.F) {
	for _, s := range []string{"a/b", "/a", "a%2Fb", "%252F", "+/#", "", "a//", "%2f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, topic string) {
		o := pathOptions(message.Segments(topic)...)
		if got := string(message.AppendTopic(nil, o)); got != topic {
			t.Fatalf("%q became %q became %q", topic, message.Segments(topic), got)
		}
		var ref []byte
		for _, s := range message.Segments(topic) {
			ref = appendEscaped(append(ref, '/'), s)
		}
		back, err := url.PathUnescape(string(ref))
		if err != nil || strings.ContainsAny(string(ref), "<>,;\" ") {
			t.Fatalf("%q: %q %v", topic, ref, err)
		}
		if want := "/" + strings.Join(message.Segments(topic), "/"); back != want {
			t.Fatalf("%q: %q, want %q", topic, back, want)
		}
	})
}
