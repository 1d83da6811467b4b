package packet

import (
	"errors"
	"strings"
	"testing"
)

// The places of the property table, in the words of section 2.4.
var placeLetters = map[rune]places{
	'c': inConnect, 'w': inWill, 'k': inConnack, 'p': inPublishC, 'P': inPublishS, 'a': inPuback, 'b': inPubrel,
	's': inSubscribe, 'S': inSuback, 'u': inUnsubscribe, 'U': inUnsuback, 'd': inDisconnectC, 'D': inDisconnectS, 'x': inAuthC, 'X': inAuthS,
}

// Every property in every packet: allowed where the page lists it, 0x81
// elsewhere (0x82 where only the sender is wrong).
func TestMQTT_24_PropertiesStandWhereTheTableSays(t *testing.T) {
	t.Parallel()
	allowed := map[PropID]string{
		0x01: "pPw", 0x02: "pPw", 0x03: "pPw", 0x08: "pPw", 0x09: "pPw", 0x0B: "Ps", 0x11: "ckd", 0x12: "k", 0x13: "k",
		0x15: "ckxX", 0x16: "ckxX", 0x17: "c", 0x18: "w", 0x19: "c", 0x1A: "k", 0x1C: "kD", 0x1F: "kabSUdDxX", 0x21: "ck",
		0x22: "ck", 0x23: "pP", 0x24: "k", 0x25: "k", 0x26: "cwkpPabsSuUdDxX", 0x27: "ck", 0x28: "k", 0x29: "k", 0x2A: "k",
	}
	foreign := map[PropID]string{0x0B: "p", 0x11: "D"}
	for id := PropID(0); id < 0x40; id++ {
		for letter, at := range placeLetters {
			value := propertyOf(id)
			in := AppendVarint(nil, uint32(len(value)))
			r := reader{b: append(in, value...)}
			var p Properties
			p.parse(&r, &defaultRules, at)
			var want error
			switch {
			case allowed[id] == "":
				want = errPropID
			case strings.ContainsRune(foreign[id], letter):
				want = errPropSender
			case !strings.ContainsRune(allowed[id], letter):
				want = errPropPlace
			}
			if !errors.Is(r.err, want) {
				t.Errorf("%#x in %c: %v, want %v", byte(id), letter, r.err, want)
			}
		}
	}
}

// Only User Properties, and Subscription Identifiers from a server, repeat.
func TestMQTT_24_ASecondPropertyIs82(t *testing.T) {
	t.Parallel()
	for id := PropID(1); id < propIDs; id++ {
		row := properties[id]
		if row.name == "" {
			continue
		}
		for letter, at := range placeLetters {
			if row.in&at == 0 {
				continue
			}
			value := append(propertyOf(id), propertyOf(id)...)
			r := reader{b: append(AppendVarint(nil, uint32(len(value))), value...)}
			var p Properties
			p.parse(&r, &defaultRules, at)
			many := id == UserProperty || id == SubscriptionIdentifier && letter == 'P'
			if many != (r.err == nil) || !many && r.err != errPropTwice {
				t.Errorf("%v twice in %c: %v", id, letter, r.err)
			}
		}
	}
}

// propertyOf returns a valid property.
func propertyOf(id PropID) []byte {
	if id >= propIDs || properties[id].name == "" {
		return []byte{byte(id), 0}
	}
	switch properties[id].shape {
	case aPair:
		return AppendUser(nil, "k", "v")
	case aString, aBinary:
		return AppendStr(nil, id, "a")
	}
	return AppendNum(nil, id, 1)
}

func TestMQTT_24_ValuesOutOfRange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		id   PropID
		at   places
		v    uint32
		want error
	}{
		{PayloadFormatIndicator, inPublishC, 2, errPropValue},
		{RequestProblemInfo, inConnect, 2, errPropValue},
		{RequestResponseInfo, inConnect, 255, errPropValue},
		{ReceiveMaximum, inConnect, 0, errPropValue},
		{MaximumPacketSize, inConnect, 0, errPropValue},
		{MaximumQoS, inConnack, 2, errPropValue},
		{RetainAvailable, inConnack, 2, errPropValue},
		{WildcardAvailable, inConnack, 2, errPropValue},
		{SubscriptionIDAvail, inConnack, 2, errPropValue},
		{SharedAvailable, inConnack, 2, errPropValue},
		{SubscriptionIdentifier, inSubscribe, 0, errPropValue},
		{TopicAlias, inPublishC, 0, errAlias0},
		{SessionExpiryInterval, inConnect, 0, nil},
		{SessionExpiryInterval, inConnect, 1<<32 - 1, nil},
		{TopicAliasMaximum, inConnect, 0, nil},
		{ServerKeepAlive, inConnack, 0, nil},
		{SubscriptionIdentifier, inSubscribe, MaxVarint, nil},
	} {
		value := AppendNum(nil, c.id, c.v)
		r := reader{b: append(AppendVarint(nil, uint32(len(value))), value...)}
		var p Properties
		p.parse(&r, &defaultRules, c.at)
		if r.err != c.want {
			t.Errorf("%v = %d: %v, want %v", c.id, c.v, r.err, c.want)
		}
	}
}

// The reason codes of section 2.5 by packet.
func TestMQTT_25_CodesStandWhereTheTableSays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		t     Type
		from  Side
		codes string
	}{
		"CONNACK":           {CONNACK, Server, "00 80 81 82 83 84 85 86 87 88 89 8a 8c 90 95 97 99 9a 9b 9c 9d 9f"},
		"PUBACK":            {PUBACK, Server, "00 10 80 83 87 90 91 97 99"},
		"PUBREC":            {PUBREC, Server, "00 10 80 83 87 90 91 97 99"},
		"client PUBACK":     {PUBACK, Client, "00 80 83 87 90 91 97 99"}, // 3.4.2.1: 0x10 is the server's alone
		"client PUBREC":     {PUBREC, Client, "00 80 83 87 90 91 97 99"},
		"PUBREL":            {PUBREL, Client, "00 92"},
		"PUBCOMP":           {PUBCOMP, Server, "00 92"},
		"SUBACK":            {SUBACK, Server, "00 01 02 80 83 87 8f 91 97 9e a1 a2"},
		"UNSUBACK":          {UNSUBACK, Server, "00 11 80 83 87 8f 91"},
		"client DISCONNECT": {DISCONNECT, Client, "00 04 80 81 82 83 90 93 94 95 96 97 98 99"},
		"server DISCONNECT": {DISCONNECT, Server, "00 80 81 82 83 87 89 8b 8d 8e 8f 90 93 94 95 96 97 98 99 9a 9b 9c 9d 9e 9f a0 a1 a2"},
		"client AUTH":       {AUTH, Client, "18 19"},
		"server AUTH":       {AUTH, Server, "00 18"},
		"PUBLISH":           {PUBLISH, Client, ""},
		"SUBSCRIBE":         {SUBSCRIBE, Client, ""},
	} {
		want := map[byte]bool{}
		for _, b := range unhex(t, c.codes) {
			want[b] = true
		}
		for n := range 256 {
			if got := Code(n).ValidIn(c.t, c.from); got != want[byte(n)] {
				t.Errorf("0x%02x in %s: %v", n, name, got)
			}
		}
	}
}

func TestEveryNameIsSpelt(t *testing.T) {
	t.Parallel()
	for n := range 0xA3 {
		c := Code(n)
		if (codes[n].in != 0) == strings.HasPrefix(c.String(), "unknown") {
			t.Errorf("0x%02x is called %q", n, c)
		}
	}
	for id := PropID(0); id < propIDs; id++ {
		if (properties[id].in != 0) == (id.String() == "unknown property") {
			t.Errorf("property 0x%02x is called %q", byte(id), id)
		}
	}
	for v, want := range map[Version]string{V31: "3.1", V311: "3.1.1", V5: "5.0", 9: "level 9"} {
		if v.String() != want {
			t.Errorf("%d is called %q", v, v)
		}
	}
	if New(0) != nil {
		t.Error("type 0 has a packet")
	}
}
