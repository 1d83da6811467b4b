package coap

import (
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
)

func TestCoAP_Section5_PutReadClear(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.NotFound, message.GET, "ps/room/t")
		first := c.expect(message.Created, message.PUT, "ps/room/t", payload("22.5"), optUint(message.ContentFormat, 0))
		m := c.expect(message.Content, message.GET, "ps/room/t")
		if string(m.Payload) != "22.5" || uintOption(t, m, message.ContentFormat) != 0 || uintOption(t, m, message.MaxAge) != 60 {
			t.Fatal(m)
		}
		e1, _ := first.Options.First(message.ETag)
		e2, _ := m.Options.First(message.ETag)
		if len(e1) != 8 || string(e1) != string(e2) {
			t.Fatalf("ETag %x and %x", e1, e2)
		}
		c.expect(message.Changed, message.PUT, "ps/room/t", payload("23"))
		c.expect(message.Deleted, message.DELETE, "ps/room/t")
		c.expect(message.NotFound, message.DELETE, "ps/room/t")
		c.expect(message.NotFound, message.GET, "ps/room/t")
	})
}

func TestCoAP_Section5_ObserveAndPublish(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		m := c.register("ps/room/t", "o")
		if len(m.Payload) != 0 {
			t.Fatal(m)
		}
		c.another().expect(message.Changed, message.POST, "ps/room/t", payload("1"))
		n := c.must()
		if n.Type != message.CON || string(n.Payload) != "1" || n.Token.String() != "6f" {
			t.Fatal(n)
		}
		c.ack(n)
		x := c.another()
		x.send(x.build(message.POST, "ps/room/t", payload("2"), non))
		if n = c.must(); n.Type != message.NON || string(n.Payload) != "2" {
			t.Fatal(n)
		}
		c.silent()
	})
}
