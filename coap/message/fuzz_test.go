package message

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	coap "github.com/plgd-dev/go-coap/v3/message"
)

// FuzzParse feeds any datagram. What parses must be written back to an
// equivalent message, and go-coap's codec must read the same options; what does
// not must be a format error.
func FuzzParse(f *testing.F) {
	for _, b := range cves(f) {
		f.Add(b)
	}
	for _, g := range goldens(f) {
		f.Add(g.wire)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		var m, again Message
		err := Parse(wire, &m)
		var fe *FormatError
		if err != nil {
			if !errors.As(err, &fe) {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		if m.Excess {
			return
		}
		out := m.AppendTo(nil)
		if len(out) != m.Len() {
			t.Fatalf("Len %d, wrote %d", m.Len(), len(out))
		}
		if err := Parse(out, &again); err != nil || again.String() != m.String() || !bytes.Equal(again.Payload, m.Payload) {
			t.Fatalf("%v\n%v\n%v", err, &m, &again)
		}
		compare(t, &m, wire[headerLen+m.Token.Len():])
		m.Screen()
	})
}

// compare reads the options with go-coap's codec.
func compare(t *testing.T, m *Message, rest []byte) {
	theirs := make(coap.Options, 0, MaxOptions+1)
	if _, err := theirs.Unmarshal(rest, nil); err != nil {
		t.Fatalf("go-coap: %v of %x", err, rest)
	}
	ours := m.Options[len(m.Options.All(0)):] // it drops the reserved number 0
	if len(theirs) != len(ours) {
		t.Fatalf("%d options, go-coap reads %d", len(ours), len(theirs))
	}
	for i, o := range ours {
		if theirs[i].ID != coap.OptionID(o.Number) || !bytes.Equal(theirs[i].Value, o.Value) {
			t.Fatalf("option %d: %v, go-coap reads %v", i, o, theirs[i])
		}
	}
}

// FuzzBuild makes messages from parts, in any order of options, and reads them
// back.
func FuzzBuild(f *testing.F) {
	f.Add(uint8(0), uint16(1), []byte("tok"), uint16(11), []byte("ps"), uint16(3), []byte("h"), []byte("payload"))
	f.Add(uint8(1), uint16(65535), []byte{}, uint16(65535), []byte{}, uint16(0), bytes.Repeat([]byte{1}, 300), []byte{})
	f.Fuzz(func(t *testing.T, typ uint8, id uint16, token []byte, n1 uint16, v1 []byte, n2 uint16, v2, payload []byte) {
		tok, ok := NewToken(token)
		if !ok || len(v1) > 65535 || len(v2) > 65535 {
			return
		}
		m := Message{Type: Type(typ & 1), Code: PUT, ID: id, Token: tok, Payload: payload}
		m.Options.Add(Number(n1), v1)
		m.Options.Add(Number(n2), v2)
		var got Message
		if err := Parse(m.AppendTo(nil), &got); err != nil || got.String() != m.String() || !bytes.Equal(got.Payload, payload) {
			t.Fatalf("%v\n%v\n%v", err, &m, &got)
		}
	})
}

// FuzzFormatOf looks up any media type: a number that is found leads back to a
// media type with the same number.
func FuzzFormatOf(f *testing.F) {
	f.Add("text/plain; charset=utf-8")
	f.Add("application/coap-format;n=9")
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := FormatOf(s)
		if !ok {
			return
		}
		if again, ok := FormatOf(n.MediaType()); !ok || again != n {
			t.Fatalf("%q is %d is %q is %d", s, n, n.MediaType(), again)
		}
	})
}

// cves are the inputs that brought others down, of every protocol (test/abuse/testdata/cve).
func cves(f *testing.F) (all [][]byte) {
	f.Helper()
	files, err := filepath.Glob("../../test/abuse/testdata/cve/*.bin")
	if err != nil || len(files) == 0 {
		f.Fatalf("%d inputs, %v", len(files), err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}
