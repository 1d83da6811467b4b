package coap

import (
	"encoding/base64"
	"net/netip"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

func connectionRules() adaptertest.Options {
	return adaptertest.Options{Auth: users{}, Core: func(o *core.Options) { o.Authorizer = rules{} }}
}

func TestCoAP_N1_N4_ATokenStandsForItsLogin(t *testing.T) {
	t.Parallel()
	scriptWith(t, Config{AllowPlain: true}, connectionRules(), func(d *adaptertest.Driver, c *client) {
		c.expect(message.BadRequest, message.POST, "mqtt/connection?username=u&password=p")
		c.expect(message.BadRequest, message.POST, "mqtt/connection?clientid=a+&username=u&password=p")
		c.expect(message.Unauthorized, message.POST, "mqtt/connection?clientid=c&username=u&password=wrong")
		c.expect(message.Unauthorized, message.POST, "mqtt/connection?clientid=c")
		c.expect(message.MethodNotAllowed, message.GET, "mqtt/connection?clientid=c")
		token := string(c.expect(message.Created, message.POST, "mqtt/connection?clientid=c&username=u&password=p").Payload)
		if raw, err := base64.RawURLEncoding.DecodeString(token); err != nil || len(raw) != 16 {
			t.Fatalf("%q is not 128 bits: %v", token, err)
		}
		with := "?clientid=c&token=" + token
		c.expect(message.Created, message.PUT, "ps/u/a"+with, payload("x"))
		c.expect(message.Content, message.GET, "ps/u/a"+with)
		c.expect(message.Forbidden, message.PUT, "ps/other"+with, payload("x"))
		c.expect(message.Changed, message.PUT, "mqtt/connection"+with)
		for _, wrong := range []string{"?token=" + token, "?clientid=d&token=" + token, "?clientid=c&token=" + token[1:], "?clientid=c&token=", "?clientid=c&username=eve&password=p&token=" + token} {
			c.expect(message.Unauthorized, message.GET, "ps/u/a"+wrong)
			c.expect(message.Unauthorized, message.GET, "ps/u/a"+wrong) // the token lives on all the same
		}
		c.expect(message.BadRequest, message.DELETE, "mqtt/connection?clientid=c")
		c.expect(message.Deleted, message.DELETE, "mqtt/connection"+with)
		c.expect(message.Unauthorized, message.GET, "ps/u/a"+with)
		c.expect(message.Unauthorized, message.DELETE, "mqtt/connection"+with)
	})
}

func TestCoAP_N2_ASilentConnectionEnds(t *testing.T) {
	t.Parallel()
	scriptWith(t, Config{AllowPlain: true}, connectionRules(), func(d *adaptertest.Driver, c *client) {
		with := "?clientid=c&token=" + string(c.expect(message.Created, message.POST, "mqtt/connection?clientid=c&username=u&password=p").Payload)
		for range 4 {
			d.Advance(40 * time.Second)
			c.expect(message.Changed, message.PUT, "mqtt/connection"+with)
		}
		d.Advance(46 * time.Second)
		c.expect(message.Unauthorized, message.PUT, "mqtt/connection"+with)
	})
}

func TestCoAP_N5_N6_AConnectionMovesAndItsOldTokenDies(t *testing.T) {
	t.Parallel()
	scriptWith(t, Config{AllowPlain: true}, connectionRules(), func(d *adaptertest.Driver, c *client) {
		there := &client{Peer: d.Peer(netip.MustParseAddrPort("127.0.0.1:4000")), t: t, d: d}
		login := "mqtt/connection?clientid=c&username=u&password=p"
		first := "?clientid=c&token=" + string(c.expect(message.Created, message.POST, login).Payload)
		second := "?clientid=c&token=" + string(c.expect(message.Created, message.POST, login).Payload)
		c.expect(message.Unauthorized, message.PUT, "ps/u/a"+first, payload("x"))
		there.expect(message.Created, message.PUT, "ps/u/a"+second, payload("x"))
		there.expect(message.Content, message.GET, "ps/u/a"+second)
		c.expect(message.Content, message.GET, "ps/u/a"+second)
	})
}

func TestCoAP_N7_AConnectionCanBeRequired(t *testing.T) {
	t.Parallel()
	scriptWith(t, Config{AllowPlain: true, ConnectionRequired: true}, connectionRules(), func(d *adaptertest.Driver, c *client) {
		c.expect(message.Unauthorized, message.PUT, "ps/u/a?u=u&p=p", payload("x"))
		token := string(c.expect(message.Created, message.POST, "mqtt/connection?c=c&u=u&p=p").Payload)
		c.expect(message.Created, message.PUT, "ps/u/a?c=c&t="+token, payload("x"))
	})
}
