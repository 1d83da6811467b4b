package abuse

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/test/rig"
)

// A verdict is what must come of some bad conversations with a stream listener.
type verdict struct {
	want   string // what the server says, to the end of the connection
	closes int    // code of the close frame that follows on a WebSocket
	moved  string // metric that must move, with its labels
	reason string // in the log line about this connection; "" where none is due
	of     []bad
}

// bad is one of them.
type bad struct {
	id    string // of the attack list (A, P), or of the statement in the protocol's page
	send  string
	part  string // sent after it
	again int    // how often; the peer may cut it short
	half  bool   // then our side is closed
	ws    bool   // on WebSocket too
}

// tables hold the rows of each surface.
var tables = []struct {
	on   string
	rows []verdict
}{
	{"mqtt", mqttRows}, {"stomp", stompRows}, {"amqp", amqpRows}, {"ws", wsRows}, {"ws-mqtt", mqttFrames}, {"ws-stomp", stompFrames}, {"http", httpRows},
}

func (g *target) rows(t *testing.T, p *pulse) {
	before := g.Metrics()
	for _, table := range tables {
		for _, v := range table.rows {
			for _, b := range v.of {
				surfaces := []string{table.on}
				if b.ws {
					surfaces = append(surfaces, table.on+"-ws")
				}
				for _, on := range surfaces {
					t.Run(on+"/"+strings.ReplaceAll(b.id, " ", "_"), func(t *testing.T) {
						if err := g.row(v, b, on, before); err != nil {
							t.Error(err)
						}
						if err := p.beat(); err != nil {
							t.Fatal(err)
						}
					})
					before = g.sane(t, v.moved != "")
				}
			}
		}
	}
}

// sane returns new metrics when nothing has panicked; those at hand, if the row has looked at them last.
func (g *target) sane(t *testing.T, looked bool) rig.Series {
	t.Helper()
	now := g.Seen
	if !looked {
		now = g.Metrics()
	}
	if n := now.Sum("panics_recovered"); n > 0 {
		t.Fatalf("%v panics: %s", n, g.Log.Last("panic.recovered"))
	}
	return now
}

func (g *target) row(v verdict, r bad, on string, before rig.Series) error {
	c, err := g.dial(on)
	if err != nil {
		return err
	}
	defer c.Close()
	sent := make(chan error, 1)
	go func() { sent <- c.play(r) }()
	got, err := c.answer()
	c.SetWriteDeadline(time.Now())
	if werr := <-sent; werr != nil && r.again == 0 && err == nil && !reset(werr) && !errors.Is(werr, net.ErrClosed) {
		return fmt.Errorf("sending: %w", werr)
	}
	if err != nil && !(r.again > 0 && reset(err)) {
		return fmt.Errorf("it said %q and then: %w", got, err)
	}
	want := v.want
	if c.framed {
		want = strings.TrimPrefix(fmt.Sprintf("%s, close %d", want, v.closes), ", ")
	}
	if got != want {
		return fmt.Errorf("it said %q, want %q", got, want)
	}
	c.Close() // it may wait for that, a bounded time
	return g.noted(v, c, before)
}

// noted waits for the metric and the log line.
func (g *target) noted(r verdict, c *client, before rig.Series) error {
	if r.moved != "" {
		if err := rig.Until(r.moved, func() bool { return g.Metrics().Sum(r.moved) > before.Sum(r.moved) }); err != nil {
			return err
		}
	}
	if r.reason == "" {
		return nil
	}
	return rig.Until("a log line with "+r.reason, func() bool { return g.Log.Has(c.LocalAddr().String(), r.reason) || g.Log.Busy() })
}

// play sends what a row says.
func (c *client) play(r bad) error {
	if r.send != "" {
		if err := c.send(r.send); err != nil {
			return err
		}
	}
	for range r.again {
		if err := c.send(r.part); err != nil {
			return err
		}
	}
	if r.half {
		c.half()
	}
	return nil
}
