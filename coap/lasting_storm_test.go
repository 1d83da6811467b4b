package coap

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
)

// stormy is a client whose connection is lost, moves and is silent at random, and that observes four topics all the same.
type stormy struct {
	*client
	r        *rand.Rand
	with     string
	port     int
	observed [4]bool
	sent     [4]int
	heard    [4]int
	again    int
}

// TestCoAP_F8_ALastingObservationLosesNothing publishes with QoS 1 to a client that comes and goes: of each topic all is
// acknowledged, once and in order.
func TestCoAP_F8_ALastingObservationLosesNothing(t *testing.T) {
	t.Parallel()
	again := 0
	for seed := range uint64(20) {
		scriptWith(t, Config{AllowPlain: true, MaxRetransmit: 2, ObserveQueue: 1000}, connectionRules(), func(d *adaptertest.Driver, c *client) {
			x := &stormy{client: c, r: rand.New(rand.NewPCG(seed, 1)), port: 2000}
			x.arrive()
			for range 200 {
				x.step()
			}
			x.arrive()
			for i := range x.observed {
				x.observe(i)
			}
			for range 30 { // what was not acknowledged is sent again
				d.Advance(4 * time.Second)
				x.listen(1)
				x.expect(message.Changed, message.PUT, "mqtt/connection"+x.with)
			}
			for i := range x.sent {
				if x.heard[i] != x.sent[i] {
					t.Errorf("seed %d: of topic %d %d of %d were heard", seed, i, x.heard[i], x.sent[i])
				}
			}
			again += x.again
		})
		if t.Failed() {
			return
		}
	}
	if again == 0 {
		t.Error("nothing was sent again")
	}
}

func (x *stormy) step() {
	switch n := x.r.IntN(20); {
	case n < 9:
		i := x.r.IntN(4)
		x.say("ps/u/"+strconv.Itoa(i), strconv.Itoa(x.sent[i]))
		x.sent[i]++
	case n < 13:
		x.listen(0.8)
	case n < 15:
		x.observe(x.r.IntN(4))
	case n < 17: // another address, by the token or not before the connection is lost
		x.port++
		x.client = x.at(fmt.Sprint("127.0.0.1:", x.port))
		if m := x.ask(message.PUT, "mqtt/connection"+x.with); m.Code != message.Changed {
			x.arrive()
		}
	case n < 18:
		x.d.Advance(time.Duration(x.r.IntN(20)) * time.Second) // retransmissions, and the end of them
	default:
		x.RecvAll()
		x.d.Advance(46 * time.Second)
		x.arrive()
	}
}

// arrive opens a connection. What was observed before is to be registered again.
func (x *stormy) arrive() {
	x.t.Helper()
	x.RecvAll()
	x.with = x.connect(keeping)
	if x.observed == ([4]bool{}) { // the first time
		for i := range x.observed {
			x.observe(i)
		}
	}
}

func (x *stormy) observe(i int) {
	x.t.Helper()
	x.observed[i] = true
	x.RecvAll() // what is not acknowledged comes again
	path := "ps/u/" + strconv.Itoa(i) + x.with
	if m := x.ask(message.GET, path, token(strconv.Itoa(i)), observe(0)); m.Code == message.Unauthorized {
		x.arrive()
	} else if m.Code != message.Content {
		x.t.Fatal(m)
	}
}

// listen takes what comes, and acknowledges as much of it as odds say.
func (x *stormy) listen(odds float64) {
	x.t.Helper()
	for m := x.next(); m != nil; m = x.next() {
		if m.Type != message.CON || m.Code != message.Content {
			continue
		}
		i, _ := strconv.Atoi(string(m.Token.AppendTo(nil)))
		if x.r.Float64() >= odds {
			x.again++
			continue
		}
		x.ack(m)
		if strings.TrimSpace(string(m.Payload)) == "" {
			continue // observer_check
		}
		switch n, _ := strconv.Atoi(string(m.Payload)); {
		case n == x.heard[i]:
			x.heard[i]++
		case n > x.heard[i]:
			x.t.Fatalf("topic %d: %d after %d", i, n, x.heard[i]-1)
		}
	}
}
