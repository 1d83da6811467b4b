package packet

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestMQTTSN_W1_OneOctetLengthCoversTotalsTo255(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 248} {
		p := Publish{Data: make([]byte, n)}
		b := p.AppendTo(nil)
		if len(b) != 7+n || int(b[0]) != 7+n || p.Len() != 7+n {
			t.Errorf("%d octets of data: %d on the wire, field %d, Len %d", n, len(b), b[0], p.Len())
		}
	}
}

func TestMQTTSN_W2_ThreeOctetLengthCoversTotalsTo65535(t *testing.T) {
	t.Parallel()
	for _, n := range []int{249, 1000, MaxLen - 9} {
		p := Publish{Data: make([]byte, n)}
		b := p.AppendTo(nil)
		if len(b) != 9+n || b[0] != 1 || int(be16(b[1:])) != 9+n || p.Len() != 9+n {
			t.Errorf("%d octets of data: % x..., %d on the wire", n, b[:4], len(b))
		}
		if q, err := Parse(b); err != nil || len(q.(Publish).Data) != n {
			t.Errorf("%d octets of data: %v", n, err)
		}
	}
}

func TestMQTTSN_W3_ThreeOctetLengthIsReadForAnyTotal(t *testing.T) {
	t.Parallel()
	p, err := Parse([]byte{1, 0, 4, byte(PINGREQ)})
	if err != nil || p.Type() != PINGREQ {
		t.Fatalf("%v, %v", p, err)
	}
	if b := p.AppendTo(nil); !bytes.Equal(b, []byte{2, byte(PINGREQ)}) {
		t.Fatalf("sent % x, want the 1-octet form", b)
	}
}

func TestMQTTSN_W4_LengthUnequalToTheDatagramIsMalformed(t *testing.T) {
	t.Parallel()
	for _, h := range []string{
		"", "00", "01", "02", "ff", "00 16", "01 00", "01 16", "03 16", "01 00 02", "01 00 00", "01 00 03",
		"01 00 03 16", "01 00 00 16", "01 00 05 16", "01 ff ff 16", "ff ff ff ff", "02 16 00", "09 04", "01 00 04 16 00",
	} {
		if p, err := Parse(unhex(t, h)); !errors.Is(err, ErrLength) {
			t.Errorf("[%s]: %v, %v, want %v", h, p, err, ErrLength)
		}
	}
}

func TestMQTTSN_W5_InvalidUTF8IsMalformed(t *testing.T) {
	t.Parallel()
	for _, h := range []string{
		"07 04 04 01 00 3c ff", "07 0a 00 00 00 02 ff", "06 12 20 00 01 ff", "06 14 00 00 01 ff", "03 16 ff", "04 07 00 ff", "04 1a 00 ff",
	} {
		if p, err := Parse(unhex(t, h)); !errors.Is(err, ErrUTF8) {
			t.Errorf("[%s]: %v, %v, want %v", h, p, err, ErrUTF8)
		}
	}
}

func TestMQTTSN_W6_CutTakesPacketsBackToBack(t *testing.T) {
	t.Parallel()
	in := unhex(t, "02 16 01 00 05 05 00 04 0f 00 03")
	var got []Type
	for len(in) > 0 {
		ty, _, rest, err := Cut(in)
		if err != nil {
			t.Fatal(err)
		}
		got, in = append(got, ty), rest
	}
	if text(got[0])+text(got[1])+text(got[2]) != "PINGREQCONNACKPUBREC" {
		t.Fatal(got)
	}
}

func TestMQTTSN_W7_UndefinedFlagBitsAreIgnored(t *testing.T) {
	t.Parallel()
	for _, h := range []string{
		"09 04 f7 01 00 3c 63 6c 31", "04 07 8f 61", "08 13 9f 04 01 00 01 00", "06 14 fc 00 04 61", "06 12 1c 00 01 61", "08 0c 0c 04 01 00 00 78",
	} {
		p, err := Parse(unhex(t, h))
		if err != nil {
			t.Errorf("[%s]: %v", h, err)
			continue
		}
		again, err := Parse(p.AppendTo(nil))
		if err != nil || text(again) != text(p) {
			t.Errorf("[%s]: %v, then %v, %v", h, text(p), again, err)
		}
		if f := p.AppendTo(nil)[2]; p.Type() != CONNECT && f != 0 {
			t.Errorf("[%s]: flags %02x are sent, want 00", h, f)
		}
	}
}

func TestMQTTSN_W8_FixedLengthPacketOfAnotherLengthIsMalformed(t *testing.T) {
	t.Parallel()
	variable := map[Type]bool{
		GWINFO: true, CONNECT: true, WILLTOPIC: true, WILLMSG: true, REGISTER: true, PUBLISH: true, SUBSCRIBE: true,
		UNSUBSCRIBE: true, PINGREQ: true, WILLTOPICUPD: true, WILLMSGUPD: true, FRWDENCAP: true, DISCONNECT: true, AUTH: true,
	}
	for name, g := range golden(t) {
		wire := unhex(t, g[0])
		if variable[Type(wire[1])] && name != "subscribe-predefined" && name != "subscribe-short" {
			continue
		}
		longer := append(bytes.Clone(wire), 0)
		longer[0]++
		shorter := bytes.Clone(wire[:len(wire)-1])
		shorter[0]--
		for _, b := range [][]byte{longer, shorter} {
			if p, err := Parse(b); !errors.Is(err, ErrLength) {
				t.Errorf("%s as [% x]: %v, %v, want %v", name, b, p, err, ErrLength)
			}
		}
	}
	for _, h := range []string{"03 18 00", "05 18 00 01 00", "02 02", "06 0a 00 00 00", "06 0c 00 00 00 00", "04 12 00 00", "05 04 04 01 00", "02 03", "03 03 00", "04 03 00 01", "08 03 00 05 50 4c 41 49"} {
		b := unhex(t, h)
		b[0] = byte(len(b))
		if p, err := Parse(b); !errors.Is(err, ErrLength) {
			t.Errorf("[% x]: %v, %v, want %v", b, p, err, ErrLength)
		}
	}
}

func TestMQTTSN_X2_ReservedTypesAreMalformed(t *testing.T) {
	t.Parallel()
	for i := range 256 {
		_, err := Parse([]byte{2, byte(i)})
		if Type(i).Known() == errors.Is(err, ErrType) {
			t.Errorf("%v: %v", Type(i), err)
		}
	}
}

func TestMQTTSN_F3_BadEncapsulationIsMalformed(t *testing.T) {
	t.Parallel()
	for _, h := range []string{
		"02 fe", "03 fe 00", "04 fe 00 0a", "09 fe 00 0a 02 16", "03 fe 00 03 fe 00 02 16", "03 fe 00 02 16 00", "01 00 06 fe 02 16",
	} {
		if p, err := Parse(unhex(t, h)); err == nil {
			t.Errorf("[%s]: parsed %v", h, p)
		}
		if _, err := ParseForward(unhex(t, h)); !errors.Is(err, ErrForwarder) {
			t.Errorf("[%s]: %v, want %v", h, err, ErrForwarder)
		}
	}
}

func TestWillAndSubackQoSOf11IsMalformed(t *testing.T) {
	t.Parallel()
	for _, h := range []string{"04 07 60 61", "04 1a 60 61", "08 13 60 04 01 00 01 00"} {
		if p, err := Parse(unhex(t, h)); !errors.Is(err, ErrFlags) {
			t.Errorf("[%s]: %v, %v, want %v", h, p, err, ErrFlags)
		}
	}
}

func TestLongNamePublish(t *testing.T) {
	t.Parallel()
	p, err := Parse(LongPublish{Retain: true, Name: []byte("a/b"), Data: []byte("x")}.AppendTo(nil))
	if err != nil {
		t.Fatal(err)
	}
	name, data, ok := p.(Publish).LongName()
	if !ok || string(name) != "a/b" || string(data) != "x" || !p.(Publish).Retain {
		t.Fatalf("%q %q %v", name, data, ok)
	}
	for _, q := range []Publish{
		{QoS: 0, TopicID: 1, Data: []byte("x")}, {QoS: -1, TopicID: 2, Data: []byte("x")},
		{QoS: -1, TopicID: 0, Data: []byte("x")}, {QoS: -1, Kind: Short, TopicID: 1, Data: []byte("x")},
		{QoS: -1, TopicID: 1, Data: []byte("\xff")},
	} {
		if _, _, ok := q.LongName(); ok {
			t.Errorf("%v carries a long name", q)
		}
	}
}

func TestReasonsAndNames(t *testing.T) {
	t.Parallel()
	if ErrUTF8.Reason() != "utf8" || !strings.Contains(ErrUTF8.Error(), "utf8") {
		t.Error(ErrUTF8)
	}
	if Type(0x11).String() != "RESERVED(11)" || FRWDENCAP.String() != "FRWDENCAP" {
		t.Error(Type(0x11), FRWDENCAP)
	}
	if Code(4).String() != "reserved(04)" || InvalidTopicID.String() != "rejected: invalid topic ID" {
		t.Error(Code(4), InvalidTopicID)
	}
	if id, ok := ShortName("ab"); !ok || id != 0x6162 {
		t.Error(id, ok)
	}
	if _, ok := ShortName("abc"); ok {
		t.Error("abc is no short name")
	}
}
