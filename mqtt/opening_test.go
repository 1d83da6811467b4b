package mqtt

import (
	"context"
	"net/netip"
	"reflect"
	"testing"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// The memory of a CONNECT is used again: nothing of it may stay for the next.
func TestNothingOfAnOpeningStaysForAnotherConnection(t *testing.T) {
	o := &opening{
		info: adapters.Info{Listener: "l"}, client: core.Client{ID: "id", Will: &core.Will{}}, login: &adapters.Login{}, refused: core.Quota, cancel: func() {},
		asked: 1, keepAlive: 1, tellKeepAlive: true, assigned: true, wantsInfo: true, paused: true, turn: 1,
	}
	for i := range reflect.TypeFor[opening]().NumField() {
		if reflect.ValueOf(o).Elem().Field(i).IsZero() {
			t.Errorf("%s is not looked at", reflect.TypeFor[opening]().Field(i).Name)
		}
	}
	c := &conn{room: &Room{}, opening: o}
	c.opened()
	if c.opening != nil || !reflect.ValueOf(o).Elem().IsZero() {
		t.Errorf("%+v", *o)
	}
	run(t, nil, func(w *world) {
		watch := w.connect("watch", v5)
		watch.send(sub(1, "w", 0))
		watch.recv()
		w.connect("a", v5, will("w", "gone", 0, false)).send(bye(packet.DisconnectWithWill))
		watch.want(`PUBLISH w "gone"`)
		w.connect("b", v5).send(bye(packet.DisconnectWithWill))
		watch.want()
	})
}

// placed notes where those are that it is asked about.
type placed struct{ at chan string }

func (p placed) Authenticate(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	p.at <- c.Addr
	return core.Anonymous, core.OK
}

func TestALoginIsShownWhereTheClientIs(t *testing.T) {
	p := placed{make(chan string, 1)}
	run(t, nil, func(w *world) {
		c := &peer{Conn: w.Open(func(i *adapters.Info) { i.Remote = netip.MustParseAddrPort("192.0.2.7:4321") }), t: t, v: v5}
		c.send(&packet.Connect{Version: v5, ClientID: []byte("c")})
		if at := <-p.at; at != "192.0.2.7:4321" {
			t.Errorf("it is at %q", at)
		}
	}, func(o *adaptertest.Options) { o.Auth = p })
}
