package mqtt

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// A badRow is input that ends its connection: the code in a DISCONNECT or
// CONNACK of 5.0, "-" where nothing is said.
type badRow struct {
	v        packet.Version
	code, in string
}

// badRows are the rows of the codec's table that have that number.
func badRows(t *testing.T, id string) (rows []badRow) {
	t.Helper()
	f, err := os.Open("packet/testdata/malformed.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if c := strings.Split(lines.Text(), " | "); len(c) == 4 && c[0] == id {
			rows = append(rows, badRow{packet.Version(c[1][0] - '0'), c[2], c[3]})
		}
	}
	return rows
}

// protocolErrors is the sum of protocol_errors_total.
func (w *world) protocolErrors() (n uint64) {
	seen := map[string]bool{}
	for c := range 256 {
		if word := neutral(packet.Code(c)).String(); !seen[word] {
			seen[word] = true
			n += w.count("protocol_errors_total", "mqtt", word)
		}
	}
	return n
}

// refused sends each row in one piece and byte by byte, and checks its end,
// that it is counted, and that a client beside it goes on.
func refused(t *testing.T, rows []badRow) {
	t.Helper()
	if len(rows) == 0 {
		t.Fatal("no rows")
	}
	run(t, nil, func(w *world) {
		healthy := w.connect("healthy", v5)
		for _, r := range rows {
			for _, split := range []bool{false, true} {
				before := w.protocolErrors()
				w.refuses(r, split)
				if n := w.protocolErrors() - before; n != 1 {
					t.Errorf("%s: counted %d times", r.in, n)
				}
				healthy.send(ping)
				healthy.want("PINGRESP")
			}
		}
	})
}

func (w *world) refuses(r badRow, split bool) {
	t := w.t
	t.Helper()
	shown := r.in[:min(len(r.in), 60)]
	in, err := hex.DecodeString(strings.ReplaceAll(r.in, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	connect := in[0]>>4 == byte(packet.CONNECT)
	p := &peer{Conn: w.Open(), t: t, v: r.v}
	defer p.Drop()
	if !connect {
		p = w.connect("p", r.v)
	}
	if split {
		for i := range in {
			p.Send(in[i : i+1])
		}
	} else {
		p.Send(in)
	}
	said := p.Recv()
	if why, closed := p.Closed(); !closed || why == core.Normal && r.code != "-" {
		t.Errorf("%s: closed %v, %v", shown, closed, why)
	}
	want := byte(packet.DISCONNECT) << 4
	at := 2
	if connect {
		want, at = byte(packet.CONNACK)<<4, 3
	}
	switch {
	case r.code == "-" || r.v < v5:
		if len(said) > 0 {
			t.Errorf("%s: said % x", shown, said)
		}
	case connect && r.code == "84" && hexOf(said) == "20 02 00 01": // what the version of the name reads
	case len(said) <= at || said[0] != want || fmt.Sprintf("%02x", said[at]) != r.code:
		t.Errorf("%s: said % x, want code %s", shown, said, r.code)
	}
}

func TestTheTableOfMalformedInputIsLong(t *testing.T) {
	t.Parallel()
	n := len(badRows(t, "MC8"))
	for i := range 33 {
		n += len(badRows(t, fmt.Sprint("MM", i)))
	}
	if n < 150 {
		t.Errorf("%d rows", n)
	}
}

func TestMQTT_MM1_ReservedTypeAndFlags(t *testing.T) {
	rows := badRows(t, "MM1")
	for first, body := range map[byte]string{
		0x40: "02 00 01", 0x50: "02 00 01", 0x62: "02 00 01", 0x70: "02 00 01", 0x82: "07 00 01 00 00 01 61 00",
		0xa2: "06 00 01 00 00 01 61", 0xc0: "00", 0xe0: "00", 0xf0: "00",
	} {
		for bit := range 4 {
			wrong := first ^ 1<<bit
			rows = append(rows, badRow{v5, "81", fmt.Sprintf("%02x %s", wrong, body)})
			if first != 0xf0 {
				rows = append(rows, badRow{v311, "81", fmt.Sprintf("%02x %s", wrong, body)})
			}
		}
	}
	refused(t, rows)
}

func TestMQTT_MM2_LengthsThatAreWrong(t *testing.T) {
	rows := badRows(t, "MM2")
	for _, v := range []packet.Version{v31, v311, v5} {
		for first := range 16 {
			if packet.Type(first) == packet.CONNECT || first == 0 {
				continue
			}
			flags := byte(0)
			if first == int(packet.PUBREL) || first == int(packet.SUBSCRIBE) || first == int(packet.UNSUBSCRIBE) {
				flags = 2
			}
			code := "81"
			switch packet.Type(first) {
			case packet.CONNACK, packet.SUBACK, packet.UNSUBACK, packet.PINGRESP:
				code = "82" // MM4 comes first
			}
			for _, length := range []string{"80 00", "ff ff ff ff 00", "80 80 80 80 01"} {
				rows = append(rows, badRow{v, code, fmt.Sprintf("%02x %s", byte(first)<<4|flags, length)})
			}
		}
	}
	refused(t, append(rows, badRow{v5, "-", "10 80 00"}, badRow{v5, "-", "10 ff ff ff ff 01"}))
}

func TestMQTT_MM3_RemainingLengthAboveTheLimit(t *testing.T) {
	refused(t, []badRow{{v5, "95", "30 ff ff ff 7f"}, {v311, "95", "30 ff ff ff 7f"}, {v31, "95", "82 ff ff ff 7f"}, {v5, "95", "e0 fd ff ff 07"}})
}

func TestMQTT_MM4_WhateverTheirContent(t *testing.T) { refused(t, badRows(t, "MM4")) }

func TestMQTT_MM5_AuthThatWasNotAgreed(t *testing.T) {
	refused(t, append(badRows(t, "MM5"), badRow{v5, "82", "f0 00"}, badRow{v5, "82", "f0 06 18 04 15 00 01 6d"}, badRow{v31, "-", "f0 00"}))
}

func TestMQTT_MM6_PingreqWithABody(t *testing.T) {
	refused(t, append(badRows(t, "MM6"), badRow{v311, "81", "c0 01 00"}, badRow{v31, "81", "c0 02 00 00"}))
}

func TestMQTT_MM8_ProtocolNamesAndShortConnects(t *testing.T) { refused(t, badRows(t, "MM8")) }
func TestMQTT_MM9_Levels(t *testing.T)                        { refused(t, badRows(t, "MM9")) }
func TestMQTT_MM10_FlagsAndFieldsOfConnect(t *testing.T)      { refused(t, badRows(t, "MM10")) }
func TestMQTT_MM11_PropertiesOfConnectOutOfRange(t *testing.T) {
	refused(t, badRows(t, "MM11"))
}
func TestMQTT_MM12_PropertiesOfConnectInTheWrongPlace(t *testing.T) {
	refused(t, badRows(t, "MM12"))
}

func TestMQTT_MM13_WillTopicAndPayload(t *testing.T) {
	refused(t, append(badRows(t, "MM13"),
		badRow{v5, "99", "10 17 00 04 4d 51 54 54 05 06 00 3c 00 00 01 61 02 01 01 00 01 77 00 01 ff"},
		badRow{v5, "90", "10 19 00 04 4d 51 54 54 05 06 00 3c 00 00 01 61 04 08 00 01 2b 00 01 77 00 01 78"},
		badRow{v311, "-", "10 13 00 04 4d 51 54 54 04 06 00 3c 00 01 61 00 01 23 00 01 78"},
		badRow{v311, "-", "10 12 00 04 4d 51 54 54 04 06 00 3c 00 01 61 00 00 00 01 78"}))
}

func TestMQTT_MM14_PublishBitsAndFields(t *testing.T) {
	rows := badRows(t, "MM14")
	for _, v := range []packet.Version{v31, v311} {
		rows = append(rows, badRow{v, "81", "36 06 00 01 61 00 01 78"}, badRow{v, "81", "38 04 00 01 61 78"},
			badRow{v, "81", "30 03 00 05 61"}, badRow{v, "81", "32 03 00 01 61"})
	}
	refused(t, rows)
}

func TestMQTT_MM15_PublishIdentifierTopicAndProperties(t *testing.T) {
	refused(t, append(badRows(t, "MM15"), badRow{v5, "82", "30 06 00 00 03 23 00 01"}, badRow{v31, "82", "32 06 00 01 61 00 00 78"}))
}

func TestMQTT_MM16_PublishWildcardsAndControlCharacters(t *testing.T) {
	rows := append(badRows(t, "MM16"), badRow{v5, "90", "30 04 00 01 7f 00"}, badRow{v311, "90", "30 03 00 01 2b"}, badRow{v31, "90", "30 03 00 01 23"})
	for c := 1; c < 0x20; c++ {
		rows = append(rows, badRow{v5, "90", fmt.Sprintf("30 05 00 02 61 %02x 00", c)})
	}
	refused(t, rows)
}

func TestMQTT_MM17_AliasesOutOfRange(t *testing.T) {
	refused(t, append(badRows(t, "MM17"), badRow{v5, "94", "30 07 00 01 61 03 23 00 41"}, badRow{v5, "94", "30 07 00 01 61 03 23 ff ff"}))
}

func TestMQTT_MM18_PropertiesThatPublishMayNotCarry(t *testing.T) { refused(t, badRows(t, "MM18")) }

func TestMQTT_MM19_LengthsOfAcknowledgements(t *testing.T) {
	rows := badRows(t, "MM19")
	for _, first := range []string{"40", "50", "62", "70"} {
		for _, body := range []string{"00", "01 00", "04 00 01 00 01", "05 00 01 00 00 00", "06 00 01 00 03 1f 00"} {
			rows = append(rows, badRow{v5, "81", first + " " + body})
		}
		for _, v := range []packet.Version{v31, v311} {
			rows = append(rows, badRow{v, "81", first + " 01 00"}, badRow{v, "81", first + " 03 00 01 00"})
		}
	}
	refused(t, rows)
}

func TestMQTT_MM20_IdentifierAndCodesOfAcknowledgements(t *testing.T) {
	rows := badRows(t, "MM20")
	first := func(kind packet.Type) byte {
		if kind == packet.PUBREL {
			return 0x62
		}
		return byte(kind) << 4
	}
	allowed := map[packet.Type]string{
		packet.PUBACK: " 00 10 80 83 87 90 91 97 99 ", packet.PUBREC: " 00 10 80 83 87 90 91 97 99 ",
		packet.PUBREL: " 00 92 ", packet.PUBCOMP: " 00 92 ",
	}
	for kind, good := range allowed {
		rows = append(rows, badRow{v5, "82", fmt.Sprintf("%02x 02 00 00", first(kind))}, badRow{v311, "82", fmt.Sprintf("%02x 02 00 00", first(kind))})
		for code := range 256 {
			if !strings.Contains(good, fmt.Sprintf(" %02x ", code)) {
				rows = append(rows, badRow{v5, "82", fmt.Sprintf("%02x 03 00 01 %02x", first(kind), code)})
			}
		}
	}
	refused(t, rows)
}

func TestMQTT_MM21_PropertiesThatAcknowledgementsMayNotCarry(t *testing.T) {
	rows := badRows(t, "MM21")
	for _, first := range []string{"40", "50", "62", "70"} {
		for _, prop := range []string{
			"01 01", "02 00 00 00 01", "03 00 01 61", "08 00 01 61", "09 00 01 61", "0b 01", "11 00 00 00 01", "12 00 01 61", "13 00 01",
			"15 00 01 61", "16 00 01 61", "17 01", "18 00 00 00 01", "19 01", "1a 00 01 61", "1c 00 01 61", "21 00 01", "22 00 01",
			"23 00 01", "24 01", "25 01", "27 00 00 00 01", "28 01", "29 01", "2a 01", "00", "2b 01", "7f 01",
		} {
			n := len(strings.Fields(prop))
			rows = append(rows, badRow{v5, "81", fmt.Sprintf("%s %02x 00 01 00 %02x %s", first, 4+n, n, prop)})
		}
	}
	refused(t, rows)
}

func TestMQTT_MM24_SubscribeIdentifiersAndNoLocal(t *testing.T) {
	refused(t, append(badRows(t, "MM24"),
		badRow{v5, "82", "82 10 00 01 00 00 0a 24 73 68 61 72 65 2f 67 2f 61 04"},
		badRow{v5, "82", "82 0e 00 01 00 00 08 24 71 75 65 75 65 2f 71 04"},
		badRow{v311, "82", "82 06 00 00 00 01 61 00"}, badRow{v31, "82", "82 06 00 00 00 01 61 00"}))
}

func TestMQTT_MM25_OptionsAndCutFilters(t *testing.T) {
	rows := badRows(t, "MM25")
	for o := range 256 {
		if o&3 == 3 || o&0xc0 != 0 || o>>4&3 == 3 {
			rows = append(rows, badRow{v5, "81", fmt.Sprintf("82 07 00 01 00 00 01 61 %02x", o)})
		}
		if o > 2 {
			rows = append(rows, badRow{v311, "81", fmt.Sprintf("82 06 00 01 00 01 61 %02x", o)})
		}
		if o&3 == 3 {
			rows = append(rows, badRow{v31, "81", fmt.Sprintf("82 06 00 01 00 01 61 %02x", o)})
		}
	}
	refused(t, rows)
}

func TestMQTT_MM28_CutUnsubscribes(t *testing.T) {
	rows := badRows(t, "MM28")
	for _, v := range []packet.Version{v31, v311} {
		rows = append(rows, badRow{v, "82", "a2 05 00 00 00 01 61"}, badRow{v, "82", "a2 02 00 01"}, badRow{v, "81", "a2 05 00 01 00 05 61"}, badRow{v, "81", "a2 05 00 01 00 01 ff"})
	}
	refused(t, rows)
}

func TestMQTT_MM29_PropertiesOfDisconnect(t *testing.T) {
	rows := append(badRows(t, "MM29"), badRow{v5, "82", "e0 07 00 05 11 00 00 00 01"}, badRow{v5, "82", "e0 0c 00 0a 11 00 00 00 00 11 00 00 00 00"})
	for _, prop := range []string{"01 01", "12 00 01 61", "15 00 01 61", "1c 00 01 61", "21 00 01", "24 01", "2b 01"} {
		n := len(strings.Fields(prop))
		rows = append(rows, badRow{v5, "81", fmt.Sprintf("e0 %02x 00 %02x %s", 2+n, n, prop)})
	}
	refused(t, rows)
}

func TestMQTT_MM30_CodesOfDisconnect(t *testing.T) {
	rows := badRows(t, "MM30")
	for code := range 256 {
		if !strings.Contains(" 00 04 80 81 82 83 90 93 94 95 96 97 98 99 ", fmt.Sprintf(" %02x ", code)) {
			rows = append(rows, badRow{v5, "-", fmt.Sprintf("e0 01 %02x", code)})
		}
	}
	refused(t, rows)
}

func TestMQTT_MM32_TooManyProperties(t *testing.T) {
	one := "26 00 00 00 00 "
	many := strings.Repeat(one, 257)
	run(t, nil, func(w *world) {
		w.refuses(badRow{v5, "95", "30 8a 0a 00 01 61 85 0a " + many}, false)
		w.refuses(badRow{v5, "95", "30 8a 0a 00 01 61 85 0a " + many}, true)
		w.refuses(badRow{v5, "95", "10 94 0a 00 04 4d 51 54 54 05 02 00 3c 85 0a " + many + "00 01 61"}, false)
		p := w.connect("p", v5)
		p.raw("30 85 0a 00 01 61 80 0a " + strings.Repeat(one, 256)) // at the limit
		p.want()
		p.open()
	})
}

func TestMQTT_MC8_ClientIdentifiersAndUserNames(t *testing.T) { refused(t, badRows(t, "MC8")) }
