package coap

import (
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

func TestEvictingOneIdentityOfAPeerLeavesTheOthers(t *testing.T) {
	t.Parallel()
	for _, r := range []core.Reason{core.Kicked, core.ShuttingDown} {
		scriptWith(t, Config{AllowPlain: true}, connectionRules(), func(d *adaptertest.Driver, c *client) {
			login := func(id string) string {
				return "?clientid=" + id + "&token=" + string(c.expect(message.Created, message.POST, "mqtt/connection?clientid="+id+"&u=u&p=p").Payload)
			}
			a, b := login("a"), login("b")
			c.register("ps/u/x"+a, "oa")
			c.register("ps/u/x"+b, "ob")
			c.register("ps/u/x?u=u&p=p", "oc")
			p := c.ep.peers[source{addr: c.Addr}]
			for _, id := range p.identities {
				if id.client == "a" {
					id.Evict(r)
				}
			}
			d.Settle()
			m := c.must()
			if m.Type != message.CON || m.Code != endOf(r) || string(m.Token.AppendTo(nil)) != "oa" {
				t.Fatalf("the observation of the one was told %v", m)
			}
			c.ack(m)
			c.silent()
			if p.gone || len(p.identities) != 2 || counter(d, "coap_observers") != 2 || d.Router.Exists(core.Client{ID: "a", Principal: p.principal}) {
				t.Fatalf("%d identities are left, %d observers", len(p.identities), counter(d, "coap_observers"))
			}
			c.expect(message.Unauthorized, message.GET, "ps/u/x"+a)
			c.send(c.build(message.PUT, "ps/u/x"+b, payload("1")))
			told := map[string]bool{}
			for m := c.next(); m != nil; m = c.next() { // the others are notified
				if m.Type == message.CON {
					told[string(m.Token.AppendTo(nil))] = string(m.Payload) == "1"
					c.ack(m)
				} else if m.Code != message.Created {
					t.Fatal(m)
				}
			}
			if len(told) != 2 || !told["ob"] || !told["oc"] {
				t.Fatalf("told %v", told)
			}
			if r != core.Kicked {
				return
			}
			for len(p.identities) > 0 && !p.gone {
				p.identities[0].Evict(r)
				d.Settle()
				for m := c.next(); m != nil; m = c.next() {
					if m.Type == message.CON {
						c.ack(m)
					}
				}
			}
			if !p.gone || c.known(c.ep) {
				t.Error("a peer without identities stays")
			}
		})
	}
}

func TestATakeoverOfOneConnectionLeavesTheOthersOfItsPeer(t *testing.T) {
	t.Parallel()
	scriptWith(t, Config{AllowPlain: true}, connectionRules(), func(d *adaptertest.Driver, c *client) {
		token := func(c *client, id string) string {
			return "?clientid=" + id + "&token=" + string(c.expect(message.Created, message.POST, "mqtt/connection?clientid="+id+"&u=u&p=p").Payload)
		}
		a, b := token(c, "a"), token(c, "b")
		other := c.another()
		taken := token(other, "a")
		c.expect(message.Unauthorized, message.PUT, "ps/u/x"+a, payload("1"))
		c.expect(message.Created, message.PUT, "ps/u/x"+b, payload("1"))
		other.expect(message.Changed, message.PUT, "ps/u/x"+taken, payload("2"))
	})
}
