package message

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestCoAP_M6_TypeAndIDAreKnownWheneverThereIsSomethingToReject(t *testing.T) {
	t.Parallel()
	for _, g := range goldens(t) {
		if g.fault == "" {
			continue
		}
		var m Message
		err := Parse(g.wire, &m)
		var fe *FormatError
		if !errors.As(err, &fe) {
			t.Fatalf("%s: %v", g.name, err)
		}
		silent := len(g.wire) < 4 || g.wire[0]>>6 != 1
		if fe.Silent != silent {
			t.Errorf("%s: silent %v, want %v", g.name, fe.Silent, silent)
		}
		if !silent && (m.ID != uint16(g.wire[2])<<8|uint16(g.wire[3]) || m.Type != Type(g.wire[0]>>4&3)) {
			t.Errorf("%s: got %v %d", g.name, m.Type, m.ID)
		}
	}
}

func TestTruncatedInputIsUnexpectedEOF(t *testing.T) {
	t.Parallel()
	for _, g := range goldens(t) {
		var m Message
		err := Parse(g.wire, &m)
		cut := g.fault == "truncated" || g.fault == "short header"
		if errors.Is(err, io.ErrUnexpectedEOF) != cut {
			t.Errorf("%s: %v", g.name, err)
		}
	}
}

func TestCoAP_G11_OptionsBeyondTheLimitAreCheckedAndNotKept(t *testing.T) {
	t.Parallel()
	head := "\x40\x01\x00\x01"
	var m Message
	if err := Parse([]byte(head+strings.Repeat("\x00", MaxOptions)), &m); err != nil || m.Excess || len(m.Options) != MaxOptions {
		t.Fatalf("%v excess=%v n=%d", err, m.Excess, len(m.Options))
	}
	if err := Parse([]byte(head+strings.Repeat("\x00", 60000)), &m); err != nil || !m.Excess || len(m.Options) != MaxOptions {
		t.Fatalf("%v excess=%v n=%d", err, m.Excess, len(m.Options))
	}
	if err := Parse([]byte(head+strings.Repeat("\x00", 60000)+"\xf0"), &m); err != ErrOptionNibble {
		t.Fatalf("the rest is not checked: %v", err)
	}
}

func TestParseForgetsTheMessageBefore(t *testing.T) {
	t.Parallel()
	var m Message
	for _, wire := range []string{"\x41\x01\x00\x01T\xb1a\xffp", "\x40\x01\x00\x02"} {
		if err := Parse([]byte(wire), &m); err != nil {
			t.Fatal(err)
		}
	}
	if m.Token.Len() != 0 || len(m.Options) != 0 || m.Payload != nil {
		t.Fatalf("left over: %v", &m)
	}
}

func TestCommonMessagesDoNotAllocate(t *testing.T) {
	var m Message
	wire := []byte("\x44\x02\x00\x01tok1\xb2ps\x04room\x01t\x42q0\xff22.5")
	out := make([]byte, 0, 128)
	if n := testing.AllocsPerRun(100, func() {
		if err := Parse(wire, &m); err != nil {
			t.Fatal(err)
		}
		if v, _ := m.Screen(); v != Clean {
			t.Fatal(v)
		}
		out = m.AppendTo(out[:0])
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func TestWriterRefusesDescendingOptions(t *testing.T) {
	t.Parallel()
	defer func() {
		if r := recover(); !strings.Contains(fmt.Sprint(r), "out of order") {
			t.Fatalf("recovered %v", r)
		}
	}()
	w := Begin(nil, NON, Content, 1, Token{})
	w.Uint(MaxAge, 1)
	w.Uint(ContentFormat, 1)
}

func TestTokensOfDifferentLengthDiffer(t *testing.T) {
	t.Parallel()
	a, _ := NewToken([]byte{1})
	b, _ := NewToken([]byte{1, 0})
	if a == b {
		t.Fatal("01 equals 0100")
	}
	if _, ok := NewToken(make([]byte, 9)); ok {
		t.Fatal("nine octets taken")
	}
}

func BenchmarkParse(b *testing.B) {
	var m Message
	wire := []byte("\x44\x02\x00\x01tok1\xb2ps\x04room\x01t\x42q0\xff22.5")
	for b.Loop() {
		if err := Parse(wire, &m); err != nil {
			b.Fatal(err)
		}
		m.Screen()
	}
}

func BenchmarkWriteNotification(b *testing.B) {
	tok, _ := NewToken([]byte("tok1"))
	out, payload := make([]byte, 0, 256), make([]byte, 64)
	for b.Loop() {
		w := Begin(out[:0], NON, Content, 7, tok)
		w.Uint(Observe, 70000)
		w.Uint(ContentFormat, 0)
		w.Uint(MaxAge, 60)
		out = w.End(payload)
	}
}
