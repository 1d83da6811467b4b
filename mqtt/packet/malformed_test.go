package packet

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

type badCase struct {
	row     string
	version Version
	code    Code
	silent  bool
	hex     []byte
}

func badCases(t testing.TB) []badCase {
	t.Helper()
	text, err := os.ReadFile("testdata/malformed.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []badCase
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), " | ")
		if len(f) != 4 {
			continue
		}
		c := badCase{row: f[0], version: Version(f[1][0] - '0'), silent: f[2] == "-", hex: unhex(t, f[3])}
		if !c.silent {
			n, err := strconv.ParseUint(f[2], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			c.code = Code(n)
		}
		all = append(all, c)
	}
	return all
}

// Each row of the table of malformed input, with its code.
func TestMQTT_MM_MalformedInputIsRefusedWithItsCode(t *testing.T) {
	t.Parallel()
	cases := badCases(t)
	if len(cases) < 120 {
		t.Fatalf("only %d rows found", len(cases))
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s %s % x", c.row, c.version, c.hex), func(t *testing.T) {
			t.Parallel()
			_, err := decode(&Rules{From: Client}, c.version, c.hex)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want a packet.Error", err)
			}
			if e.Silent != c.silent || !c.silent && e.Code != c.code {
				t.Errorf("got %v (silent %v), want 0x%02x (silent %v)", e, e.Silent, byte(c.code), c.silent)
			}
		})
	}
}

func TestMQTT_MC4_TheAnswerToABadLevelIsInTheVersionThatThePeerKnows(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Version{
		"00 04 4d 51 54 54 03 02 00 3c 00 01 61":       V311,
		"00 06 4d 51 49 73 64 70 05 02 00 3c 00 01 61": V311,
		"00 04 4d 51 54 54 06 02 00 3c 00 00 01 61":    V5,
		"00 04 4d 51 54 55 05 02 00 3c 00 00 01 61":    0,
	} {
		var c Connect
		if err := c.Parse(nil, 0, 0, unhex(t, in)); err == nil || c.Version != want {
			t.Errorf("%s: version %v, error %v; want %v", in, c.Version, err, want)
		}
	}
}

func TestMQTT_MC24_TheVersionIsKnownFromTheStartOfAConnect(t *testing.T) {
	t.Parallel()
	body := unhex(t, "00 04 4d 51 54 54 05 02 00 3c 00 00 01 61")
	for n := range body {
		want := V5
		if n < 7 {
			want = 0
		}
		if got := ConnectVersion(body[:n]); got != want {
			t.Errorf("%d bytes: %v, want %v", n, got, want)
		}
	}
}

func TestMQTT_MM32_PropertiesBeyondTheLimitAre95(t *testing.T) {
	t.Parallel()
	p := Publish{Topic: []byte("a")}
	for range 257 {
		p.Properties.User = append(p.Properties.User, Pair{})
	}
	many := p.AppendTo(nil, V5)
	p.Properties.User = []Pair{{Key: bytes.Repeat([]byte("k"), 40_000), Value: bytes.Repeat([]byte("v"), 40_000)}}
	long := p.AppendTo(nil, V5)
	for name, in := range map[string][]byte{"count": many, "bytes": long} {
		_, err := decode(&Rules{}, V5, in)
		var e *Error
		if !errors.As(err, &e) || e.Code != PacketTooLarge {
			t.Errorf("%s: %v, want 0x95", name, err)
		}
	}
	if _, err := decode(&Rules{MaxProperties: 257}, V5, many); err != nil {
		t.Errorf("within a raised limit: %v", err)
	}
}

// 3.1 is looser than its successors.
func TestMQTT_31_UnusedBitsAreIgnored(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"SUBSCRIBE DUP":           "8a 06 00 01 00 01 61 01",
		"SUBSCRIBE option bits":   "82 06 00 01 00 01 61 fd",
		"UNSUBSCRIBE DUP":         "aa 05 00 01 00 01 61",
		"PUBREL DUP":              "6a 02 00 01",
		"PUBACK flags":            "4f 02 00 01",
		"PINGREQ flags":           "c5 00",
		"CONNECT reserved bit":    "10 0f 00 06 4d 51 49 73 64 70 03 03 00 3c 00 01 61",
		"user name without bytes": "10 0f 00 06 4d 51 49 73 64 70 03 82 00 3c 00 01 61",
		"password without bytes":  "10 12 00 06 4d 51 49 73 64 70 03 c2 00 3c 00 01 61 00 01 75",
		"password without user":   "10 12 00 06 4d 51 49 73 64 70 03 42 00 3c 00 01 61 00 01 70",
	} {
		p, err := decode(&Rules{}, V31, unhex(t, in))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c, ok := p.(*Connect); ok && c.HasPassword {
			t.Errorf("%s: kept the password", name)
		}
	}
}

func TestAServerMayNotSendWhatBelongsToAClient(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		v  Version
		in string
	}{
		"PINGREQ":                         {V5, "c0 00"},
		"SUBSCRIBE":                       {V5, "82 07 00 01 00 00 01 61 00"},
		"DISCONNECT in 3.1.1":             {V311, "e0 00"},
		"DISCONNECT with expiry":          {V5, "e0 07 00 05 11 00 00 00 0a"},
		"CONNACK with reserved flags":     {V5, "20 03 02 00 00"},
		"CONNACK present and refused":     {V5, "20 03 01 87 00"},
		"CONNACK code 6 in 3.1.1":         {V311, "20 02 00 06"},
		"CONNACK Maximum QoS 2":           {V5, "20 05 00 00 02 24 02"},
		"SUBACK code 3":                   {V311, "90 03 00 01 03"},
		"SUBACK failure in 3.1":           {V31, "90 03 00 01 80"},
		"UNSUBACK code 1":                 {V5, "b0 04 00 01 00 01"},
		"AUTH 19":                         {V5, "f0 01 19"},
		"PUBLISH with Subscription Id 0":  {V5, "30 06 00 01 61 02 0b 00"},
		"UNSUBACK of 3.1.1 with payload":  {V311, "b0 03 00 01 00"},
		"PINGRESP with a body":            {V5, "d0 01 00"},
		"AUTH with data without a method": {V5, "f0 06 18 04 16 00 01 6d"},
	} {
		if _, err := decode(&Rules{From: Server}, c.v, unhex(t, c.in)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
