package frame

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// stream parses in, cut into pieces of n octets (0: whole), and renders every
// frame and the error's kind.
func stream(p *Parser, in string, n int) []string {
	var out []string
	var f Frame
	data := []byte(in)
	if n == 0 {
		n = max(len(data), 1)
	}
	for len(data) > 0 {
		piece := bytes.Clone(data[:min(n, len(data))])
		data = data[len(piece):]
		for len(piece) > 0 {
			used, ok, err := p.Next(piece, &f)
			if err != nil {
				return append(out, "error")
			}
			piece = piece[used:]
			if ok {
				out = append(out, render(&f))
			}
		}
	}
	return out
}

func render(f *Frame) string {
	var b strings.Builder
	b.WriteString(f.Command.String())
	for _, h := range f.Headers {
		fmt.Fprintf(&b, " %q=%q", h.Name, h.Value)
	}
	if len(f.Body) > 0 {
		fmt.Fprintf(&b, " body=%q", f.Body)
	}
	return b.String()
}

func parseErr(t *testing.T, p *Parser, in string) *ParseError {
	t.Helper()
	var f Frame
	data := []byte(in)
	for len(data) > 0 {
		used, _, err := p.Next(data, &f)
		if err != nil {
			var pe *ParseError
			if !errors.As(err, &pe) {
				t.Fatalf("error of type %T", err)
			}
			return pe
		}
		data = data[used:]
	}
	t.Fatalf("%q was accepted", in)
	return nil
}

func want(t *testing.T, v Version, in string, frames ...string) {
	t.Helper()
	for _, n := range []int{0, 1, 2, 3, 7} {
		got := stream(&Parser{Version: v}, in, n)
		if strings.Join(got, "\n") != strings.Join(frames, "\n") {
			t.Errorf("version %q in pieces of %d: %q\n got %q\nwant %q", v, n, in, got, frames)
		}
	}
}

func TestSTOMP_ST1_LinesEndInLFOrCRLFAndEOLsBetweenFramesAreIgnored(t *testing.T) {
	t.Parallel()
	for _, v := range []Version{VersionNone, V10, V11, V12} {
		want(t, v, "SEND\r\ndestination:a\r\n\r\nhi\x00\r\n\n\x00\r\nACK\nid:1\n\n\x00\n",
			`SEND "destination"="a" body="hi"`, `ACK "id"="1"`)
		want(t, v, "SEND\ndesti\rnation:a\n\n\x00", "error")
		want(t, v, "SE\rND\n\n\x00", "error")
		want(t, v, "\rSEND\n\n\x00", "error")
	}
}

func TestSTOMP_ST2_AnUnknownCommandIsNamedAndCaseCounts(t *testing.T) {
	t.Parallel()
	for _, c := range []string{"send", "BOGUS", "GET / HTTP/1.1", "SEND "} {
		if e := parseErr(t, &Parser{}, c+"\n"); e.Kind != BadCommand || e.Reason != c {
			t.Errorf("%q: %+v", c, e)
		}
	}
	want(t, V12, "SEND\nDestination:a\n\n\x00", `SEND "Destination"="a"`)
}

func TestSTOMP_ST3_EachVersionHasItsEscapes(t *testing.T) {
	t.Parallel()
	const in = "SEND\nk\\cx: a\\nb\\c\\\\\n\n\x00"
	want(t, V10, in, `SEND "k\\cx"="a\\nb\\c\\\\"`)
	want(t, V11, in, `SEND "k:x"=" a\nb:\\"`)
	want(t, V12, in, `SEND "k:x"=" a\nb:\\"`)
	const cr = "SEND\nk:a\\rb\n\n\x00"
	want(t, V10, cr, `SEND "k"="a\\rb"`)
	want(t, V11, cr, "error")
	want(t, V12, cr, `SEND "k"="a\rb"`)
	for _, bad := range []string{`\t`, `\`, `\x`, `a\C`} {
		want(t, V10, "SEND\nk:"+bad+"\n\n\x00", fmt.Sprintf("SEND \"k\"=%q", bad))
		want(t, V11, "SEND\nk:"+bad+"\n\n\x00", "error")
		want(t, V12, "SEND\nk:"+bad+"\r\n\n\x00", "error")
	}
}

func TestSTOMP_ST4_CONNECTIsNeverUnescaped(t *testing.T) {
	t.Parallel()
	for _, v := range []Version{VersionNone, V10, V11, V12} {
		want(t, v, "CONNECT\naccept-version:1.2\nlogin:dom\\nuser\n\n\x00",
			`CONNECT "accept-version"="1.2" "login"="dom\\nuser"`)
	}
	want(t, VersionNone, "CONNECT\nlogin: guest\n\n\x00", `CONNECT "login"="guest"`)
	want(t, VersionNone, "CONNECT\naccept-version:1.1\npasscode: x\n\n\x00",
		`CONNECT "accept-version"="1.1" "passcode"=" x"`)
	f := &Frame{Command: Connected}
	f.Add("server", `a:b\c`)
	if got := string(f.AppendTo(nil, V12)); got != "CONNECTED\nserver:a:b\\c\n\n\x00" {
		t.Errorf("CONNECTED was escaped: %q", got)
	}
}

func TestSTOMP_ST5_AHeaderNeedsANameAndAColon(t *testing.T) {
	t.Parallel()
	for _, v := range []Version{VersionNone, V10, V11, V12} {
		want(t, v, "SEND\nnocolon\n\n\x00", "error")
		want(t, v, "SEND\n:value\n\n\x00", "error")
		want(t, v, "SEND\nurl:http://a:1/\nempty:\n\n\x00", `SEND "url"="http://a:1/" "empty"=""`)
	}
}

func TestSTOMP_ST6_TheFirstOfRepeatedHeadersCountsAndAllAreLimited(t *testing.T) {
	t.Parallel()
	want(t, V12, "SEND\na:1\nb:2\na:3\n\n\x00", `SEND "a"="1" "b"="2"`)
	if e := parseErr(t, &Parser{Version: V12}, "SEND\n"+strings.Repeat("a:1\n", 101)); e.Kind != TooLarge {
		t.Errorf("101 equal headers: %v", e)
	}
	want(t, V12, "SEND\n"+strings.Repeat("a:1\n", 100)+"\n\x00", `SEND "a"="1"`)
}

func TestSTOMP_ST7_ContentLengthIsExact(t *testing.T) {
	t.Parallel()
	want(t, V12, "SEND\ncontent-length:3\n\na\x00b\x00ACK\n\n\x00", `SEND "content-length"="3" body="a\x00b"`, "ACK")
	want(t, V12, "SEND\n\na\x00\x00", `SEND body="a"`)
	for _, n := range []string{"-1", "+1", "1e1", "", " 1", "0x1", "99999999999999999999999", "16777217"} {
		want(t, V12, "SEND\ncontent-length:"+n+"\n\na\x00", "error")
	}
	want(t, V12, "SEND\ncontent-length:2\n\nabc\x00", "error")
	want(t, V10, "SEND\ncontent-length: 1\n\na\x00", `SEND "content-length"="1" body="a"`)
}

func TestSTOMP_ST8_OnlySomeFramesHaveABody(t *testing.T) {
	t.Parallel()
	for _, v := range []Version{V10, V11, V12} {
		want(t, v, "ACK\nid:1\n\n\n\r\n\x00", `ACK "id"="1"`)
		want(t, v, "ERROR\n\nwhy\x00", `ERROR body="why"`)
	}
	want(t, V10, "ACK\nid:1\n\nbody\x00", `ACK "id"="1"`)
	want(t, V11, "ACK\nid:1\n\nbody\x00", "error")
	want(t, V12, "ACK\nid:1\ncontent-length:4\n\nbody\x00", "error")
	want(t, VersionNone, "CONNECT\n\n\n\x00", "CONNECT")

	f := &Frame{Command: Message, Body: []byte("abc")}
	if got := string(f.AppendTo(nil, V12)); got != "MESSAGE\ncontent-length:3\n\nabc\x00" {
		t.Errorf("%q", got)
	}
}

func TestSTOMP_ST10_LimitsHoldBeforeLogin(t *testing.T) {
	t.Parallel()
	before := Limits{Frame: 64 << 10}
	for name, in := range map[string]string{
		"command":  strings.Repeat("A", 33),
		"line":     "CONNECT\na:" + strings.Repeat("b", 8<<10),
		"headers":  "CONNECT\n" + strings.Repeat("a:"+strings.Repeat("b", 8000)+"\n", 9),
		"body":     "SEND\n\n" + strings.Repeat("b", 64<<10),
		"announce": "SEND\ncontent-length:65536\n\n",
	} {
		if e := parseErr(t, &Parser{Limits: before}, in); e.Kind != TooLarge {
			t.Errorf("%s: %v", name, e)
		}
		if got := stream(&Parser{Limits: before}, in, 100); len(got) != 1 || got[0] != "error" {
			t.Errorf("%s in pieces: %q", name, got)
		}
	}
	want(t, V12, "SEND\na:\xff\xfe\n\n\x00", `SEND "a"="\xff\xfe"`) // octets need not be UTF-8
}

func TestSTOMP_ST11_NoValueBecomesAHeaderOfItsOwn(t *testing.T) {
	t.Parallel()
	for v, line := range map[Version]string{
		V10: "a b:c\x20\x20d:\\\n", V11: "a\\cb:c \\nd\\c\\\\\n", V12: "a\\cb:c\\r\\nd\\c\\\\\n",
	} {
		f := &Frame{Command: Send}
		f.Add("a:b", "c\r\nd:\\")
		if got := string(f.AppendTo(nil, v)); got != "SEND\n"+line+"\n\x00" {
			t.Errorf("%v: %q", v, got)
		}
	}
}

func TestSTOMP_ST63_AnAnnouncedLengthCostsNoMemory(t *testing.T) {
	var before, after runtime.MemStats
	p := &Parser{Version: V12, Limits: Limits{Body: 2_000_000_000}}
	var f Frame
	runtime.ReadMemStats(&before)
	if _, _, err := p.Next([]byte("SEND\ncontent-length:2000000000\n\nabc"), &f); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
		t.Errorf("%d octets allocated", n)
	}
}

func TestTheErrorNamesTheReceiptOfItsFrame(t *testing.T) {
	t.Parallel()
	const in = "SEND\nreceipt:r\\c1\nnocolon\n\n\x00"
	if e := parseErr(t, &Parser{Version: V12}, in); string(e.Receipt) != "r:1" {
		t.Errorf("receipt %q", e.Receipt)
	}
	p := &Parser{Version: V12}
	var f Frame
	if _, ok, err := p.Next([]byte(in[:8]), &f); ok || err != nil {
		t.Fatal(ok, err)
	}
	_, _, err := p.Next([]byte(in[8:]), &f)
	if e := new(ParseError); !errors.As(err, &e) || string(e.Receipt) != "r:1" {
		t.Errorf("in pieces: %v", err)
	}
}

func TestTheParserHoldsNothingBetweenFrames(t *testing.T) {
	t.Parallel()
	p := &Parser{Version: V12}
	if got := stream(p, "SEND\na:b\n\nbody\x00\n", 3); len(got) != 1 || p.Buffered() != 0 || p.buf != nil {
		t.Errorf("%q, %d octets held", got, p.Buffered())
	}
}

func TestKeepBodyOutlivesTheInput(t *testing.T) {
	t.Parallel()
	var f Frame
	in := []byte("SEND\n\nbody\x00")
	p := &Parser{Version: V12}
	if _, ok, err := p.Next(in, &f); !ok || err != nil {
		t.Fatal(ok, err)
	}
	kept := f.KeepBody()
	clear(in)
	if string(kept) != "body" {
		t.Errorf("%q", kept)
	}
}
