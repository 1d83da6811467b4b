package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/entrepot/entrepot/test/peers/load"
)

// A workload is measured with each of its peers in turn, and that in every round.
type workload struct {
	name    string
	about   string // what it is, for the report
	peers   []string
	serving serving
	once    bool // what is slow and the same in each round is measured in the first alone
	rows    []*row
	measure func(b *bench, s *server, e *load.Engine) (*result, error)
}

// row is a line of the report.
type row struct {
	key    string // of a result's values
	title  string
	unit   string
	goals  []goal
	values map[string][]float64 // by peer, one for each round
}

// goal bounds entrepot's value: itself, or as a multiple of another peer's in the same round.
type goal struct {
	to    string // a peer; "" bounds the value itself
	limit float64
	least bool // the limit is the smallest value, else the largest
}

func atMost(x float64, to string) goal  { return goal{to, x, false} }
func atLeast(x float64, to string) goal { return goal{to, x, true} }

// result is one measurement of one peer.
type result struct {
	values  map[string]float64
	account load.Account
	own     float64  // µs of the load generator per message
	bound   bool     // the load generator had nothing left while the broker had
	notes   []string // of what was reached
}

// pair is one publisher and the subscriber that gets what it sends.
type pair struct {
	flow *load.Flow
	sub  *load.Conn
	at   int // the ledger
}

// account sums what became of everything that was sent.
func account(pairs []pair) (a load.Account) {
	for _, p := range pairs {
		l := &p.sub.Ledgers[p.at]
		a.Add(load.Account{Sent: p.flow.Sent, Expected: p.flow.Sent, Received: l.Seen() + l.Doubled, Lost: l.Lost(p.flow.Sent), Doubled: l.Doubled, Late: l.Late})
	}
	return a
}

// mark is what was used and done so far.
type mark struct {
	broker, own, at time.Duration
	done            uint64
}

func take(s *server, e *load.Engine) mark {
	return mark{s.cpu(), load.CPU(), e.Now(), e.Received}
}

// cost is the broker's CPU per delivery between two marks, and whether the load generator was the bottleneck.
func cost(from, to mark) (*result, error) {
	n := float64(to.done - from.done)
	if n == 0 {
		return nil, fmt.Errorf("nothing arrived while it was measured")
	}
	took := (to.at - from.at).Seconds()
	broker, own := (to.broker - from.broker).Seconds(), (to.own - from.own).Seconds()
	return &result{
		values: map[string]float64{"cpu": broker / n * 1e6, "rate": n / took, "busy": broker / took},
		own:    own / n * 1e6,
		bound:  own/took > .9 && broker/took < .9,
	}, nil
}

// flood lets all flows send as their windows allow, and measures after a warm-up.
func (b *bench) flood(s *server, e *load.Engine, pairs []pair) (*result, error) {
	if err := e.Run(b.warmup); err != nil {
		return nil, err
	}
	from := take(s, e)
	if err := e.Run(b.time); err != nil {
		return nil, err
	}
	to := take(s, e)
	return finish(e, from, to, pairs)
}

func finish(e *load.Engine, from, to mark, pairs []pair) (*result, error) {
	if err := e.Drain(); err != nil {
		return nil, err
	}
	r, err := cost(from, to)
	if err != nil {
		return nil, err
	}
	r.account = account(pairs)
	return r, nil
}

// acknowledged is flood for publishers that wait for acknowledgements alone.
func (b *bench) acknowledged(s *server, e *load.Engine) (*result, error) {
	if err := e.Run(b.warmup); err != nil {
		return nil, err
	}
	from := take(s, e)
	from.done = e.Acked
	if err := e.Run(b.time); err != nil {
		return nil, err
	}
	to := take(s, e)
	to.done = e.Acked
	if err := e.Drain(); err != nil {
		return nil, err
	}
	return cost(from, to)
}

// connect opens n clients with names.
func connect(s *server, e *load.Engine, name string, n int) ([]*load.Conn, error) {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s-%d", name, i)
	}
	return e.DialAll(s.address["mqtt"], ids, true)
}

// store runs the bare store in a role on the broker's core, beside a core that does not sleep if poll is set.
func (b *bench) store(s *server, e *load.Engine, role string, poll bool) (stored, error) {
	var out, report bytes.Buffer
	cmd := exec.Command(b.self, "-role", role, "-listen", filepath.Join(s.dir, role))
	cmd.Stdout, cmd.Stderr = &out, &report
	ended, err := start(cmd, b.brokerCores[:1])
	if err != nil {
		return nil, err
	}
	e.Poll = poll
	for running := poll; running; {
		select {
		case <-ended:
			running = false
		default:
			if err := e.Idle(time.Millisecond); err != nil {
				return nil, err
			}
		}
	}
	<-ended
	rates := stored{}
	if err := json.Unmarshal(out.Bytes(), &rates); err != nil {
		return nil, fmt.Errorf("%w: %s", err, report.String())
	}
	return rates, nil
}
