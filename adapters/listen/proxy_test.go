package listen_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pires/go-proxyproto"
	"github.com/pires/go-proxyproto/tlvparse"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/listen"
)

// proxied starts one listener of each kind behind proxies at 127.0.0.1.
func proxied(t *testing.T, l adapters.Limits) *rig {
	t.Helper()
	return serve(t, rigOptions{urls: []string{"line://127.0.0.1:0", "lines://127.0.0.1:0", "ws://127.0.0.1:0", "wss://127.0.0.1:0"}, limits: l,
		change: func(o *listen.Options) {
			for i := range o.Listeners {
				o.Listeners[i].Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
			}
		}})
}

// through connects to the i-th listener after a header.
func (r *rig) through(t *testing.T, i int, header []byte) (*client, error) {
	t.Helper()
	nc, err := net.Dial("tcp", r.addr(i))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	nc.Write(header)
	scheme, _, _ := strings.Cut(r.Addrs()[i].URL, "://")
	if scheme == "lines" {
		nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
		if err := nc.(*tls.Conn).Handshake(); err != nil {
			return nil, err
		}
	}
	if scheme == "ws" || scheme == "wss" {
		d := websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, NetDial: func(string, string) (net.Conn, error) { return nc, nil }}
		ws, _, err := d.Dial(scheme+"://"+r.addr(i)+"/line", nil)
		if err != nil {
			return nil, err
		}
		nc = &wsStream{Conn: ws}
	}
	return newClient(t, nc), nil
}

func v2(t *testing.T, h *proxyproto.Header, tlvs ...proxyproto.TLV) []byte {
	t.Helper()
	if err := h.SetTLVs(tlvs); err != nil {
		t.Fatal(err)
	}
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func tcp(s string) *net.TCPAddr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }

func from(src string) *proxyproto.Header {
	return proxyproto.HeaderProxyFromAddrs(2, tcp(src), tcp("192.0.2.9:1883"))
}

// certified is the TLV of a client whose certificate the proxy saw.
func certified(t *testing.T, cn string, verify uint32) proxyproto.TLV {
	t.Helper()
	ssl := tlvparse.PP2SSL{Client: 7, Verify: verify, TLV: []proxyproto.TLV{
		{Type: proxyproto.PP2_SUBTYPE_SSL_VERSION, Value: []byte("TLSv1.3")}, {Type: proxyproto.PP2_SUBTYPE_SSL_CN, Value: []byte(cn)}}}
	tlv, err := ssl.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return tlv
}

// sealed appends a checksum; off falsifies it. PROXY protocol, 2.2.3
func sealed(t *testing.T, h *proxyproto.Header, off uint32) []byte {
	t.Helper()
	b := v2(t, h, proxyproto.TLV{Type: proxyproto.PP2_TYPE_CRC32C, Value: make([]byte, 4)})
	binary.BigEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))+off)
	return b
}

func TestProxy_MH5_TheCarriedAddressIsThePeers(t *testing.T) {
	t.Parallel()
	r := proxied(t, adapters.Limits{})
	unspec := []byte("\r\n\r\n\x00\r\nQUIT\n\x21\x00\x00\x00")
	unix := &proxyproto.Header{Version: 2, Command: proxyproto.PROXY, TransportProtocol: proxyproto.UnixStream,
		SourceAddr: &net.UnixAddr{Net: "unix", Name: "/a"}, DestinationAddr: &net.UnixAddr{Net: "unix", Name: "/b"}}
	local := from("198.51.100.7:1234")
	local.Command = proxyproto.LOCAL
	const far = "198.51.100.7:1234 to 192.0.2.9:1883 loopback=false"
	for _, c := range []struct {
		name   string
		header []byte
		want   string // "": the socket's
		more   string
	}{
		{"v1 TCP4", []byte("PROXY TCP4 198.51.100.7 192.0.2.9 1234 1883\r\n"), far, ""},
		{"v1 TCP6", []byte("PROXY TCP6 2001:db8::7 2001:db8::9 1234 1883\r\n"), "[2001:db8::7]:1234 to [2001:db8::9]:1883 loopback=false", ""},
		{"v1 UNKNOWN", []byte("PROXY UNKNOWN\r\n"), "", ""},
		{"v1 UNKNOWN of 107 bytes", []byte("PROXY UNKNOWN " + strings.Repeat("f", 91) + "\r\n"), "", ""},
		{"v2 TCP4", v2(t, from("198.51.100.7:1234")), far, ""},
		{"v2 TCP6", v2(t, proxyproto.HeaderProxyFromAddrs(2, tcp("[2001:db8::7]:1234"), tcp("[2001:db8::9]:1883"))), "[2001:db8::7]:1234 to [2001:db8::9]:1883 loopback=false", ""},
		{"v2 mapped", v2(t, proxyproto.HeaderProxyFromAddrs(2, tcp("[::ffff:198.51.100.7]:1234"), tcp("[2001:db8::9]:1883"))), "198.51.100.7:1234 to [2001:db8::9]:1883 loopback=false", ""},
		{"v2 LOCAL", v2(t, local), "", ""},
		{"v2 unspecified", unspec, "", ""},
		{"v2 Unix", v2(t, unix), "", ""},
		{"v2 of 536 bytes", v2(t, from("198.51.100.7:1234"), proxyproto.TLV{Type: proxyproto.PP2_TYPE_NOOP, Value: make([]byte, 536-16-12-3)}), far, ""},
		{"v2 with a checksum", sealed(t, from("198.51.100.7:1234"), 0), far, ""},
		{"v2 with a verified name", v2(t, from("198.51.100.7:1234"), certified(t, "meter 7", 0)), far, " cn=meter 7 uris=[] proxied=true"},
		{"v2 with a name that failed", v2(t, from("198.51.100.7:1234"), certified(t, "meter 7", 1)), far, ""},
	} {
		for i := range r.Addrs() {
			cl, err := r.through(t, i, c.header)
			if err != nil {
				t.Errorf("%s, %s: %v", c.name, r.Addrs()[i].URL, err)
				continue
			}
			cl.send("WHO\n")
			tls := "false"
			if i%2 == 1 {
				tls = "true"
			}
			want := c.want + " tls=" + tls + c.more
			got := cl.line()
			if c.want == "" {
				want = "to " + r.addr(i) + " loopback=true tls=" + tls
			}
			if !strings.HasSuffix(got, want) {
				t.Errorf("%s, %s: %q, want %q", c.name, r.Addrs()[i].URL, got, want)
			}
			cl.nc.Close()
		}
	}
	until(t, "all have left", func() bool { n, _ := r.Connections(); return n == 0 })
}

func TestAttack_A6a_BadHeadersAreClosed(t *testing.T) {
	t.Parallel()
	r := proxied(t, adapters.Limits{})
	good := v2(t, from("198.51.100.7:1234"))
	change := func(at int, b ...byte) []byte {
		c := bytes.Clone(good)
		copy(c[at:], b)
		return c
	}
	udp := proxyproto.HeaderProxyFromAddrs(2, &net.UDPAddr{IP: net.IPv4(1, 2, 3, 4)}, &net.UDPAddr{IP: net.IPv4(1, 2, 3, 5)})
	rows := map[string][]byte{
		"no header":              []byte("LOGIN somebody\n"),
		"TLS hello":              append([]byte{0x16, 3, 1, 1, 0}, make([]byte, 256)...),
		"HTTP":                   []byte("GET /line HTTP/1.1\r\nHost: a\r\n\r\n"),
		"v1 of 108 bytes":        []byte("PROXY UNKNOWN " + strings.Repeat("f", 92) + "\r\n"),
		"v1 without end":         bytes.Repeat([]byte("PROXY "), 100),
		"v1 without CR":          []byte("PROXY TCP4 198.51.100.7 192.0.2.9 1234 1883\n"),
		"v1 lower case":          []byte("proxy TCP4 198.51.100.7 192.0.2.9 1234 1883\r\n"),
		"v1 of UDP":              []byte("PROXY UDP4 198.51.100.7 192.0.2.9 1234 1883\r\n"),
		"v1 family mixed":        []byte("PROXY TCP4 2001:db8::7 192.0.2.9 1234 1883\r\n"),
		"v1 address with zero":   []byte("PROXY TCP4 198.051.100.7 192.0.2.9 1234 1883\r\n"),
		"v1 port 65536":          []byte("PROXY TCP4 198.51.100.7 192.0.2.9 65536 1883\r\n"),
		"v1 port with sign":      []byte("PROXY TCP4 198.51.100.7 192.0.2.9 +123 1883\r\n"),
		"v1 two spaces":          []byte("PROXY TCP4  198.51.100.7 192.0.2.9 1234 1883\r\n"),
		"v1 one more":            []byte("PROXY TCP4 198.51.100.7 192.0.2.9 1234 1883 x\r\n"),
		"v1 one less":            []byte("PROXY TCP4 198.51.100.7 192.0.2.9 1234\r\n"),
		"v2 version 1":           change(12, 0x11),
		"v2 command 2":           change(12, 0x22),
		"v2 family 4":            change(13, 0x41),
		"v2 transport 3":         change(13, 0x13),
		"v2 too short":           change(14, 0, 11),
		"v2 of 537 bytes":        append(change(14, 2, 537-16-512), make([]byte, 600)...),
		"v2 of 65551 bytes":      append(change(14, 0xff, 0xff), make([]byte, 600)...),
		"v2 TLV past the end":    append(change(14, 0, 16), 0x04, 0, 9, 1),
		"v2 TLV torn":            append(change(14, 0, 14), 0x04, 0),
		"v2 wrong checksum":      sealed(t, from("198.51.100.7:1234"), 1),
		"v2 checksum of 2 bytes": v2(t, from("198.51.100.7:1234"), proxyproto.TLV{Type: proxyproto.PP2_TYPE_CRC32C, Value: []byte{1, 2}}),
		"v2 SSL of 3 bytes":      v2(t, from("198.51.100.7:1234"), proxyproto.TLV{Type: proxyproto.PP2_TYPE_SSL, Value: []byte{7, 0, 0}}),
		"v2 of UDP":              v2(t, udp),
	}
	for name, header := range rows {
		for i := range r.Addrs() {
			nc, err := net.Dial("tcp", r.addr(i))
			if err != nil {
				t.Fatal(err)
			}
			nc.SetDeadline(time.Now().Add(patience))
			nc.Write(header)
			if b, _ := io.ReadAll(nc); len(b) > 0 {
				t.Errorf("%s, %s: answered %q", name, r.Addrs()[i].URL, b)
			}
			nc.Close()
		}
	}
	closed := r.count("preauth_closed_total", "line", "proxy") + r.count("preauth_closed_total", "ws", "proxy")
	if want := uint64(4 * len(rows)); closed != want {
		t.Errorf("counted %d of %d", closed, want)
	}
	if log := r.log.String(); !strings.Contains(log, "reason=proxy error=") || strings.Contains(log, "addr=198.51.100.7") {
		t.Errorf("log:\n%s", log)
	}
	until(t, "no place is held", func() bool { n, _ := r.Connections(); return n == 0 })
}

func TestAttack_A6b_HeadersFromElsewhere(t *testing.T) {
	t.Parallel()
	r := proxied(t, adapters.Limits{})
	for i := range r.Addrs() {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
		nc, err := d.Dial("tcp", r.addr(i))
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(patience))
		nc.Write(v2(t, from("198.51.100.7:1234")))
		if b, _ := io.ReadAll(nc); len(b) > 0 {
			t.Errorf("%s: answered %q", r.Addrs()[i].URL, b)
		}
		nc.Close()
	}
	until(t, "counted", func() bool {
		return r.count("preauth_closed_total", "line", "proxy") == 2 && r.count("preauth_closed_total", "ws", "proxy") == 2
	})
	if log := r.log.String(); !strings.Contains(log, "addr=127.0.0.2:") || strings.Contains(log, "198.51.100.7") {
		t.Errorf("log:\n%s", log)
	}
}

func TestAttack_A6c_NamesThatAreNone(t *testing.T) {
	t.Parallel()
	r := proxied(t, adapters.Limits{})
	names := []string{"a\r\nb", "a\x00b", "a+b", "#", strings.Repeat("x", 300) + "\x7f"}
	for _, name := range names {
		c, err := r.through(t, 0, v2(t, from("198.51.100.7:1234"), certified(t, name, 0)))
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(c.r); len(b) > 0 {
			t.Errorf("%q: answered %q", name, b)
		}
	}
	if n := r.count("connects_total", "line", "refused", "name"); n != uint64(len(names)) {
		t.Errorf("counted %d", n)
	}
	if log := r.log.String(); !strings.Contains(log, "msg=auth.denied") || !strings.Contains(log, "reason=name") {
		t.Errorf("log:\n%s", log)
	}
}

func TestProxy_U17_LimitsCountTheCarriedAddress(t *testing.T) {
	t.Parallel()
	r := proxied(t, adapters.Limits{PreauthPerAddress: 2, Trusted: []netip.Prefix{}})
	open := func(src string) *client {
		c, err := r.through(t, 0, v2(t, from(src)))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first, second := open("198.51.100.7:1"), open("198.51.100.7:2")
	for _, c := range []*client{first, second} {
		c.send("ECHO here\n")
		c.expect("here")
	}
	if b, _ := io.ReadAll(open("198.51.100.7:3").r); len(b) > 0 {
		t.Errorf("the third of an address was served: %q", b)
	}
	if !strings.Contains(r.log.String(), "addr=198.51.100.7:3 limit=preauth_connections") {
		t.Errorf("log:\n%s", r.log)
	}
	open("198.51.100.8:1").login("another")
	first.login("first") // gives its place back
	open("198.51.100.7:4").login("fourth")
	for _, c := range []*client{first, second} {
		c.nc.Close()
	}
	r.stop()
	if all, waiting := r.Connections(); all != 0 || waiting != 0 {
		t.Errorf("%d connections, %d without login are still counted", all, waiting)
	}
}

func TestPreauth_L1_ProxyHeaderHandshakeAndUpgradeShareOneDeadline(t *testing.T) {
	t.Parallel()
	const deadline = 2 * time.Second
	r := proxied(t, adapters.Limits{PreauthDeadline: deadline})
	for i, a := range r.Addrs() {
		t.Run(a.URL, func(t *testing.T) {
			t.Parallel()
			nc, err := net.Dial("tcp", r.addr(i))
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			began := time.Now()
			nc.SetDeadline(began.Add(patience))
			drip(nc, v2(t, from("198.51.100.7:1234")), deadline/3)
			if strings.HasPrefix(a.URL, "lines") || strings.HasPrefix(a.URL, "wss") {
				tc := tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
				if err := tc.Handshake(); err != nil {
					t.Fatal(err)
				}
				nc = tc
			}
			if b, _ := io.ReadAll(nc); len(b) > 0 {
				t.Errorf("answered %q", b)
			}
			if took := time.Since(began); took < deadline*9/10 || took > deadline*3 {
				t.Errorf("closed after %v", took)
			}
		})
	}
	t.Cleanup(func() {
		if n := r.count("preauth_closed_total", "line", "deadline") + r.count("preauth_closed_total", "ws", "deadline"); n != 4 {
			t.Errorf("counted %d", n)
		}
	})
}

// drip sends all of b, spread over a time.
func drip(w io.Writer, b []byte, d time.Duration) {
	t := time.NewTicker(d / time.Duration(len(b)))
	defer t.Stop()
	for i := range b {
		<-t.C
		w.Write(b[i : i+1])
	}
}

func TestProxy_TheHeaderMayComeInPiecesAndWithWhatFollows(t *testing.T) {
	t.Parallel()
	r := proxied(t, adapters.Limits{})
	for _, header := range [][]byte{v2(t, from("198.51.100.7:1234")), []byte("PROXY TCP4 198.51.100.7 192.0.2.9 1234 1883\r\n")} {
		one, err := r.through(t, 0, append(bytes.Clone(header), "WHO\nECHO a\n"...))
		if err != nil {
			t.Fatal(err)
		}
		one.expect("198.51.100.7:1234 to 192.0.2.9:1883 loopback=false tls=false", "a")
		nc, err := net.Dial("tcp", r.addr(0))
		if err != nil {
			t.Fatal(err)
		}
		c := newClient(t, nc)
		for _, b := range append(bytes.Clone(header), "WHO\n"...) {
			nc.Write([]byte{b})
		}
		c.expect("198.51.100.7:1234 to 192.0.2.9:1883 loopback=false tls=false")
	}
}

func TestProxy_AListenerWithoutIsNotFooled(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"line://127.0.0.1:0", "ws://127.0.0.1:0"}})
	c, err := r.through(t, 0, []byte("PROXY TCP4 198.51.100.7 192.0.2.9 1234 1883\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(c.r); bytes.Contains(b, []byte("198.51")) {
		t.Errorf("%q", b)
	}
	if _, err := r.through(t, 1, []byte("PROXY TCP4 198.51.100.7 192.0.2.9 1234 1883\r\n")); err == nil {
		t.Error("HTTP took it")
	}
	resp, err := http.Get("http://" + r.addr(1) + "/line")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}
