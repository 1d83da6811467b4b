package coap

import (
	"strings"
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
)

func TestCoAP_M14_ProxyingIsNotSupported(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.ProxyingNotSupported, message.GET, "ps/a", opt(message.ProxyURI, "coap://elsewhere/x"))
		c.expect(message.ProxyingNotSupported, message.GET, "ps/a", opt(message.ProxyScheme, "http"))
	})
}

func TestCoAP_G12_UnlistedCodesAreSuppressedByTheirClass(t *testing.T) {
	t.Parallel()
	for c, mask := range map[message.Code]uint8{
		message.TooManyRequests: 8, message.RequestEntityIncomplete: 8, message.Continue: 2, message.HopLimitReached: 16,
	} {
		if !muted(mask, c) || muted(^mask, c) {
			t.Errorf("%v", c)
		}
	}
}

func TestCoAP_G3_UnknownCriticalOption(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		for _, n := range []message.Number{65001, message.OSCORE, message.QBlock1, message.QBlock2} { // S9
			c.expect(message.BadOption, message.GET, "ps/a", opt(n, "x"))
			c.send(c.build(message.GET, "ps/a", opt(n, "x"), non))
			c.silent()
		}
		c.expect(message.NotFound, message.GET, "ps/a", opt(65000, "x"))
	})
}

func TestCoAP_G8_TextThatIsNotUTF8(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.BadRequest, message.GET, "ps/\xff")
		c.expect(message.BadRequest, message.GET, "ps/a?\xff")
	})
}

func TestCoAP_G11_TooManyOptions(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.NotFound, message.GET, "ps"+strings.Repeat("/a", 63))
		c.expect(message.BadRequest, message.GET, "ps"+strings.Repeat("/a", 64))
		c.send(c.build(message.GET, "ps"+strings.Repeat("/a", 64), non))
		c.silent()
		c.expect(message.BadRequest, message.GET, "ps"+strings.Repeat("/a", 300))
	})
}
