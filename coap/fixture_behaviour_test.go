package coap

import (
	"strings"
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
)

func TestCoAP_Q1_MethodsByCONAndNON(t *testing.T) {
	t.Parallel()
	bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
		for _, method := range []message.Code{message.GET, message.PUT, message.POST, message.DELETE} {
			for _, o := range []option{func(*message.Message) {}, non} {
				c.expect(message.Content, method, "echo", payload("b"), o)
			}
		}
		if x.executed != 8 {
			t.Errorf("%d executed", x.executed)
		}
	})
}

func TestCoAP_Q3_PathAndQueryKeepTheirOrder(t *testing.T) {
	t.Parallel()
	bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
		m := c.expect(message.Content, message.GET, "echo/b/a/c?z=1&a=2&z=0")
		if string(m.Payload) != "echo b a c z=1 a=2 z=0 " {
			t.Fatal(m)
		}
	})
}

func TestCoAP_Q5_SeveralLocationPathsAndQueries(t *testing.T) {
	t.Parallel()
	bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
		m := c.expect(message.Created, message.POST, "created")
		var got []string
		for _, n := range []message.Number{message.LocationPath, message.LocationQuery} {
			for _, o := range m.Options.All(n) {
				got = append(got, string(o.Value))
			}
		}
		if strings.Join(got, " ") != "a b/c x=1 y=2" {
			t.Fatal(m)
		}
	})
}

func TestCoAP_Q11_EarlyAndLateNegotiation(t *testing.T) {
	t.Parallel()
	bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
		want := strings.Repeat("0123456789", 500)
		for szx := range uint8(7) {
			if got := c.fetch(message.GET, "large", szx); got != want {
				t.Errorf("SZX %d: %d octets", szx, len(got))
			}
		}
		m := c.expect(message.Content, message.GET, "large")
		got := string(m.Payload) // 1024 octets, then in blocks of 64
		for num := uint32(16); ; num++ {
			m = c.expect(message.Content, message.GET, "large", optBlock(message.Block2, num, false, 2))
			got += string(m.Payload)
			if !blockOf(t, m, message.Block2).More {
				break
			}
		}
		if got != want {
			t.Errorf("late: %d octets", len(got))
		}
	})
}
