package coap

import (
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

func TestSecurity_O3_CoAPAnswers503WithAMaxAgeThatVaries(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.Created, message.PUT, "ps/a", payload("1"))
		d.Router.SetPressure(core.Pressure{Level: core.LevelBrake})
		ages := map[string]bool{}
		for range 20 {
			m := c.expect(message.ServiceUnavailable, message.PUT, "ps/a", payload("2"))
			v, ok := m.Options.First(message.MaxAge)
			if !ok || len(v) != 1 || v[0] < 5 || v[0] > 30 {
				t.Fatalf("Max-Age % x", v)
			}
			ages[string(v)] = true
		}
		if len(ages) < 2 {
			t.Error("every client is told the same time")
		}
		c.expect(message.Content, message.GET, "ps/a")
		c.expect(message.Deleted, message.DELETE, "ps/a") // deletes go on
		d.Router.SetPressure(core.Pressure{})
		c.expect(message.Created, message.PUT, "ps/a", payload("3"))
	})
}
