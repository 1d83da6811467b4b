package packet

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// A goldenCase is one block of testdata/golden.txt.
type goldenCase struct {
	why, is string
	from    Side
	version Version
	hex     []byte
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return b
}

func goldens(t testing.TB) []goldenCase {
	t.Helper()
	text, err := os.ReadFile("testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []goldenCase
	for block := range strings.SplitSeq(string(text), "\n\n") {
		var c goldenCase
		for line := range strings.SplitSeq(block, "\n") {
			key, val, _ := strings.Cut(line, ": ")
			switch key {
			case "why":
				c.why = val
			case "from":
				who, v, _ := strings.Cut(val, " ")
				c.version = Version(v[0] - '0')
				if who == "server" {
					c.from = Server
				}
			case "hex":
				c.hex = unhex(t, val)
			case "is":
				c.is = val
			}
		}
		if c.why != "" {
			all = append(all, c)
		}
	}
	if len(all) < 30 {
		t.Fatalf("only %d golden packets found", len(all))
	}
	return all
}

// decode reads one whole packet the way a user of the package does.
func decode(r *Rules, v Version, in []byte) (Packet, error) {
	h, state := Scan(in, 0)
	if err := h.Check(v, r.From); err != nil {
		return nil, err
	}
	if state != Complete || h.Size() != len(in) {
		if err := state.Err(); err != nil {
			return nil, err
		}
		return nil, errPast
	}
	p := New(h.Type)
	if err := p.Parse(r, v, h.Flags, in[h.Head:h.Size()]); err != nil {
		return p, err
	}
	return p, nil
}

// describe prints what is not zero in a packet.
func describe(p Packet) string {
	var b strings.Builder
	b.WriteString(p.Kind().String())
	val := reflect.ValueOf(p).Elem()
	for i := range val.NumField() {
		f, name := val.Field(i), val.Type().Field(i).Name
		if f.IsZero() || name == "Type" || name == "List" {
			continue
		}
		switch x := f.Interface().(type) {
		case Properties:
		case bool:
			fmt.Fprintf(&b, " %s", name)
		case []byte:
			if len(x) > 0 {
				fmt.Fprintf(&b, " %s=%q", name, x)
			}
		case Code:
			fmt.Fprintf(&b, " %s=0x%02x", name, byte(x))
		default:
			fmt.Fprintf(&b, " %s=%v", name, x)
		}
	}
	switch p := p.(type) {
	case *Connect:
		b.WriteString(describeProps(&p.Properties))
		if w := describeProps(&p.WillProperties); w != "" {
			b.WriteString(" will:" + w)
		}
		return b.String()
	default:
		if f := val.FieldByName("Properties"); f.IsValid() {
			b.WriteString(describeProps(f.Addr().Interface().(*Properties)))
		}
	}
	switch p := p.(type) {
	case *Subscribe:
		for f, o := range p.All() {
			fmt.Fprintf(&b, " %s=0x%02x", f, byte(o))
		}
	case *Unsubscribe:
		for f := range p.All() {
			fmt.Fprintf(&b, " %s", f)
		}
	}
	return b.String()
}

func describeProps(p *Properties) string {
	var b strings.Builder
	for id := PropID(1); id < propIDs; id++ {
		name := strings.ReplaceAll(id.String(), " ", "_")
		switch {
		case id == SubscriptionIdentifier && p.Has(id):
			fmt.Fprintf(&b, " %ss=%v", name, p.SubscriptionIDs)
		case id == UserProperty, !p.Has(id):
		case properties[id].shape >= aString:
			fmt.Fprintf(&b, " %s=%q", name, p.Str(id))
		default:
			fmt.Fprintf(&b, " %s=%d", name, p.Num(id, 0))
		}
	}
	for _, u := range p.User {
		fmt.Fprintf(&b, " %q:%q", u.Key, u.Value)
	}
	return b.String()
}

func TestGoldenPackets(t *testing.T) {
	t.Parallel()
	for _, c := range goldens(t) {
		t.Run(fmt.Sprintf("%s %s", c.version, c.why), func(t *testing.T) {
			t.Parallel()
			p, err := decode(&Rules{From: c.from}, c.version, c.hex)
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(p); got != c.is {
				t.Errorf("is   %s\nwant %s", got, c.is)
			}
			if got := p.AppendTo(nil, c.version); !bytes.Equal(got, c.hex) {
				t.Errorf("encodes as % x\nwant         % x", got, c.hex)
			}
			if l, ok := p.(interface{ Len(Version) int }); ok && l.Len(c.version) != len(c.hex) {
				t.Errorf("Len = %d, want %d", l.Len(c.version), len(c.hex))
			}
		})
	}
}

// Every packet type appears among the golden packets.
func TestGoldenPacketsCoverEveryType(t *testing.T) {
	t.Parallel()
	seen := map[Type]bool{}
	for _, c := range goldens(t) {
		seen[Type(c.hex[0]>>4)] = true
	}
	for k := CONNECT; k <= AUTH; k++ {
		if !seen[k] {
			t.Errorf("no golden %s", k)
		}
	}
}

func TestMQTT_MW6_DecodeEncodeDecodeIsTheIdentity(t *testing.T) {
	t.Parallel()
	for _, c := range goldens(t) {
		rules := &Rules{From: c.from}
		p, err := decode(rules, c.version, c.hex)
		if err != nil {
			t.Fatal(err)
		}
		roundTrip(t, rules, c.version, p)
	}
	long := &Ack{Type: PUBACK}
	if err := long.Parse(nil, V5, 0, unhex(t, "00 02 00 00")); err != nil { // code and length said, both 0
		t.Fatal(err)
	}
	if got := long.AppendTo(nil, V5); !bytes.Equal(got, unhex(t, "40 02 00 02")) {
		t.Errorf("encodes as % x, not the shortest form", got)
	}
}

func TestMQTT_MW2_BytesLeftOverAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range goldens(t) {
		kind := Type(c.hex[0] >> 4)
		if kind == PUBLISH || kind == SUBACK || kind == UNSUBACK && c.version == V5 { // they end with a list or payload
			continue
		}
		if c.hex[1] > 0x7e {
			t.Fatalf("%s: too long for this test", c.why)
		}
		in := append(bytes.Clone(c.hex), 0xff)
		in[1]++
		if _, err := decode(&Rules{From: c.from}, c.version, in); err == nil {
			t.Errorf("%s %s: one byte more is accepted", c.version, c.why)
		}
	}
}
