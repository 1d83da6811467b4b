package listen

import (
	"bytes"
	"net/netip"
	"testing"
)

// FuzzDTLSRecords: whatever comes, looking at it neither panics nor lets
// application data of epoch 0 through, and a ClientHello that is taken can be
// written as the one before its cookie.
func FuzzDTLSRecords(f *testing.F) {
	body := append([]byte{254, 253}, make([]byte, 32)...)
	body = append(body, 0, 2, 7, 7, 0, 2, 0xc0, 0xa8, 1, 0)
	hello := append([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, byte(12 + len(body)), 1, 0, 0, byte(len(body)), 0, 1, 0, 0, 0, 0, 0, byte(len(body))}, body...)
	f.Add(hello)
	f.Add([]byte{23, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 'x'})
	f.Add(append([]byte{25, 254, 253, 0, 1, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1}, 'x'))
	jar := newCookies()
	from := netip.MustParseAddrPort("192.0.2.1:5")
	f.Fuzz(func(t *testing.T, b []byte) {
		s, ok := inspect(b)
		if ok && s.plain && b[0] == recordData && b[3] == 0 && b[4] == 0 {
			t.Errorf("application data of epoch 0: %x", b)
		}
		if !ok || !s.hello {
			return
		}
		h, ok := parseHello(b)
		if !ok {
			return
		}
		first, ok := parseHello(h.first())
		if !ok || len(first.cookie) != 0 || !bytes.Equal(first.core, h.core) || !bytes.Equal(first.before, h.before) || !bytes.Equal(first.after, h.after) {
			t.Errorf("%x becomes %x", b, h.first())
		}
		cookie := jar.make(from, &h, 1)
		h.cookie = cookie[:]
		if !jar.valid(from, &h, cookieAge) || jar.valid(from, &h, 2*cookieAge) || jar.valid(netip.AddrPortFrom(from.Addr(), 6), &h, 1) {
			t.Error("the cookie")
		}
		if v := h.verifyRequest(cookie); len(v) > 3*len(b) {
			t.Errorf("%d bytes for %d", len(v), len(b))
		}
	})
}
