package amqp091_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// names of those that are open.
func (w *world) names() (all []string) {
	for c := range w.Room().(adapters.Lister).Connections() {
		all = append(all, c.Name)
	}
	return all
}

func TestAMQP_AQ18_WhoIsConnectedIsListed(t *testing.T) {
	simulate(t, func(w *world) {
		room := w.Room().(adapters.Lister)
		w.raw() // says nothing
		if got := w.names(); got != nil {
			t.Fatalf("before anybody has logged in: %q", got)
		}
		began := time.Now()
		p := w.raw()
		p.SendString(wire.ProtocolHeader)
		hello := startOk("guest", "guest")
		hello.ClientProperties = hello.ClientProperties.Append("connection_name", wire.Longstr("worker \"7\"")).Append("odd", wire.Longstr("\xff\x00"))
		p.send(0, hello, &wire.ConnectionTuneOk{ChannelMax: 100, FrameMax: 8192, Heartbeat: 30}, &wire.ConnectionOpen{VirtualHost: "/"})
		p.send(1, &wire.ChannelOpen{})
		p.send(2, &wire.ChannelOpen{})
		p.send(3, &wire.ChannelOpen{}, &wire.ChannelClose{})
		p.recv()
		names := w.names()
		if len(names) != 1 || names[0] != "192.0.2.1:20001 -> 198.51.100.1:1" {
			t.Fatalf("%q", names)
		}
		c, ok := room.Connection(names[0])
		var properties map[string]any
		if err := json.Unmarshal(c.Properties, &properties); err != nil || properties["connection_name"] != `worker "7"` || properties["capabilities"].(map[string]any)["connection.blocked"] != true {
			t.Errorf("%v %s", err, c.Properties)
		}
		since := c.Since
		c.Properties, c.Since = nil, time.Time{}
		want := adapters.Connection{
			Name: names[0], Given: `worker "7"`, User: "guest", Namespace: core.DefaultNamespace, Protocol: "AMQP 0-9-1", Mechanism: "PLAIN", State: "running",
			Remote: netip.MustParseAddrPort("192.0.2.1:20001"), Local: netip.MustParseAddrPort("198.51.100.1:1"),
			Channels: 2, ChannelMax: 100, FrameMax: 8192, Heartbeat: 30 * time.Second,
		}
		if !ok || fmt.Sprintf("%+v", c) != fmt.Sprintf("%+v", want) || since.Sub(began).Abs() > time.Second {
			t.Errorf("%v %+v\nwant %+v", since, c, want)
		}
		p.send(0, &wire.ConnectionClose{Code: 200})
		if got := w.names(); got != nil {
			t.Errorf("after its end: %q", got)
		}
		if _, ok := room.Connection(names[0]); ok || room.Disconnect(names[0], "") {
			t.Error("found after its end")
		}
	})
}

func TestAMQP_AQ18_AnOperatorEndsAConnection(t *testing.T) {
	simulate(t, func(w *world) {
		room := w.Room().(adapters.Lister)
		for why, text := range map[string]string{
			"":                        "CONNECTION_FORCED - connection was ended: kicked",
			"maintenance \xff":        "CONNECTION_FORCED - maintenance \uFFFD",
			strings.Repeat("ü", 1000): "CONNECTION_FORCED - " + strings.Repeat("ü", 117),
		} {
			w.dial()
			p := w.dial()
			names := w.names()
			if !room.Disconnect(names[len(names)-1], why) {
				t.Fatal("not found")
			}
			w.Settle()
			if got := p.recv(); len(got) != 1 || !strings.HasPrefix(got[0], "0 connection.close Code:320 Text:"+text+" ClassID") {
				t.Errorf("%q", got)
			}
			p.expectClosed(core.Kicked)
			if got := w.names(); len(got) != len(names)-1 || slices.Contains(got, names[len(names)-1]) {
				t.Errorf("%q of %q", got, names)
			}
		}
	})
}

func TestAMQP_AQ18_ConnectionsThatLookAlikeHaveNamesOfTheirOwn(t *testing.T) {
	simulate(t, func(w *world) {
		alike := func(i *adapters.Info) { i.Remote, i.Local = netip.AddrPort{}, netip.AddrPort{} }
		for range 3 {
			p := &peer{Conn: w.Open(alike), t: t, max: 131072}
			p.SendString(wire.ProtocolHeader)
			p.send(0, startOk("guest", "guest"), &wire.ConnectionTuneOk{ChannelMax: 9, FrameMax: 8192}, &wire.ConnectionOpen{VirtualHost: "/"})
		}
		if got := w.names(); !slices.Equal(got, []string{"unix -> unix", "unix -> unix (2)", "unix -> unix (3)"}) {
			t.Errorf("%q", got)
		}
	})
}

func TestAMQP_AQ18_LongPropertiesAreKeptInPart(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.raw()
		p.SendString(wire.ProtocolHeader)
		hello := startOk("guest", "guest")
		hello.ClientProperties = wire.Table{}.Append("long", wire.Longstr(strings.Repeat("x", 8000))).Append("connection_name", wire.Longstr("n"))
		p.send(0, hello, &wire.ConnectionTuneOk{ChannelMax: 9, FrameMax: 8192}, &wire.ConnectionOpen{VirtualHost: "/"})
		c, _ := w.Room().(adapters.Lister).Connection(w.names()[0])
		if string(c.Properties) != `{"connection_name":"n"}` {
			t.Errorf("%.100s", c.Properties)
		}
	})
}
