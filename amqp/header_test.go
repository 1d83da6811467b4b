package amqp_test

import (
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
)

func TestAMQP_AQ1_AnotherHeaderIsAnsweredByOurs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"AMQP\x00\x01\x00\x00", wire.ProtocolHeader},
		{"AMQP\x03\x01\x00\x00", wire.ProtocolHeader},
		{"AMQP\x01\x01\x00\x09", wire.ProtocolHeader},
		{"GET / HTTP", ""},
		{"\x16\x03\x01\x00\xa5", ""},
		{"\x10", ""},
	} {
		adaptertest.Test(t, room, adaptertest.Options{}, func(t *testing.T, d *adaptertest.Driver) {
			p := d.Open()
			p.SendString(c.in)
			if got := string(p.Recv()); got != c.want {
				t.Errorf("%q: %q", c.in, got)
			}
			if _, closed := p.Closed(); !closed {
				t.Errorf("%q: still open", c.in)
			}
		})
	}
}

func TestAMQP_AQ1_HeaderMayComeInPieces(t *testing.T) {
	t.Parallel()
	adaptertest.Test(t, room, adaptertest.Options{}, func(t *testing.T, d *adaptertest.Driver) {
		p := d.Open()
		p.SendSplit([]byte(wire.ProtocolHeader), 1)
		f, _, err := wire.Scan(p.Recv(), 131072)
		if err != nil {
			t.Fatal(err)
		}
		if id, _ := wire.PeekID(f.Payload); id != wire.IDConnectionStart {
			t.Fatal(id)
		}
	})
}
