package wire

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestAMQP_AQ3_ArgumentsThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	for _, s := range specs {
		whole := AppendMethod(nil, s.new())
		for i := range whole {
			if _, err := ParseMethod(whole[:i]); err != io.ErrUnexpectedEOF {
				t.Errorf("%s cut to %d octets: %v", s.name, i, err)
			}
		}
		if _, err := ParseMethod(append(whole, 0)); codeOf(err) != SyntaxError {
			t.Errorf("%s with an octet too many: %v", s.name, err)
		}
	}
}

func TestUnknownMethodIsNotImplemented(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"\x00\x3c\x00\x0c", "\x00\x0b\x00\x0a", "\xff\xff\xff\xff"} {
		if _, err := ParseMethod([]byte(in)); codeOf(err) != NotImplemented {
			t.Errorf("%x: %v", in, err)
		}
	}
}

func TestReservedArgumentsAreIgnored(t *testing.T) {
	t.Parallel()
	in := []byte("\x00\x32\x00\x1e\xab\xcd\x01q\x00") // queue.purge with a ticket
	m, err := ParseMethod(in)
	if err != nil || m.(*QueuePurge).Queue != "q" {
		t.Fatal(m, err)
	}
	in[4], in[5] = 0, 0
	if out := AppendMethod(nil, m); !bytes.Equal(out, in) {
		t.Fatalf("%x", out)
	}
}

func TestReplyTextIsCutOnARune(t *testing.T) {
	t.Parallel()
	e := &Error{Code: NotFound, Text: strings.Repeat("ü", 200)}
	got := e.ReplyText()
	if len(got) > 255 || len(got) < 252 || !strings.HasPrefix(got, "NOT_FOUND - ü") || strings.ToValidUTF8(got, "?") != got {
		t.Fatalf("%d octets %q", len(got), got)
	}
}

func TestHardCodesEndTheConnection(t *testing.T) {
	t.Parallel()
	soft := map[Code]bool{ReplySuccess: true, ContentTooLarge: true, NoRoute: true, NoConsumers: true,
		AccessRefused: true, NotFound: true, ResourceLocked: true, PreconditionFailed: true}
	for c := range codeNames {
		if c.Hard() == soft[c] {
			t.Errorf("%d %s: hard is %t", c, c, c.Hard())
		}
	}
}

func FuzzMethodRoundTrip(f *testing.F) {
	for _, s := range specs {
		f.Add(AppendMethod(nil, s.new()))
	}
	f.Add([]byte("\x00\x32\x00\x0a\x00\x00\x01q\x1f\x00\x00\x00\x05\x01aI\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := ParseMethod(in)
		if err != nil {
			return
		}
		once := AppendMethod(nil, m)
		again, err := ParseMethod(once)
		if err != nil {
			t.Fatal(err)
		}
		if twice := AppendMethod(nil, again); !bytes.Equal(once, twice) {
			t.Fatalf("%x\n%x", once, twice)
		}
	})
}
