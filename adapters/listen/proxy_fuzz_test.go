package listen

import (
	"bytes"
	"io"
	"net/netip"
	"testing"
)

// FuzzProxyHeader feeds what a trusted proxy might send. What is taken has at
// most 536 bytes, ends where the header ends and names a whole address.
func FuzzProxyHeader(f *testing.F) {
	for _, s := range []string{
		"PROXY TCP4 198.51.100.7 192.0.2.9 1234 1883\r\nrest",
		"PROXY TCP6 2001:db8::7 2001:db8::9 1234 1883\r\n",
		"PROXY UNKNOWN\r\n\x10",
		"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc6\x33\x64\x07\xc0\x00\x02\x09\x04\xd2\x07\x5b\x10\x00",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x23\xc6\x33\x64\x07\xc0\x00\x02\x09\x04\xd2\x07\x5b\x20\x00\x14\x07\x00\x00\x00\x00\x21\x00\x07TLSv1.3\x22\x00\x02me",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x13\xc6\x33\x64\x07\xc0\x00\x02\x09\x04\xd2\x07\x5b\x03\x00\x04\x00\x00\x00\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		text, err := readProxyHeader(r)
		if err != nil {
			return
		}
		if len(text) > proxyMost || len(text)+r.Len() != len(in) {
			t.Fatalf("%d bytes of %d, %d are left", len(text), len(in), r.Len())
		}
		socket := netip.MustParseAddrPort("192.0.2.1:1")
		a := &arrival{remote: socket}
		if a.learn(text) != nil {
			return
		}
		if !a.remote.IsValid() {
			t.Errorf("%q: no address", text)
		}
		if a.proxied == nil && a.remote != socket {
			t.Errorf("%q: %s without a source", text, a.remote)
		}
		if c := a.proxied; c != nil && c.certificate != nil && !userName(c.certificate.CommonName) {
			t.Errorf("%q: name %q", text, c.certificate.CommonName)
		}
		if rest, _ := io.ReadAll(r); !bytes.HasSuffix(in, rest) {
			t.Error("the rest has changed")
		}
	})
}
