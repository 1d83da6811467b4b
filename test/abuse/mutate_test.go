package abuse

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/entrepot/entrepot/test/rig"
)

// workers is how many connections abuse at a time.
const workers = 8

// inParallel runs jobs on a few goroutines; the healthy clients go on meanwhile.
func (p *pulse) inParallel(t *testing.T, jobs []func() error) {
	t.Helper()
	queue := make(chan func() error, len(jobs))
	for _, j := range jobs {
		queue <- j
	}
	close(queue)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for j := range queue {
				if err := j(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	ended := make(chan struct{})
	go func() { group.Wait(); close(ended) }()
	for {
		select {
		case <-ended:
			return
		default:
			if err := p.beat(); err != nil {
				t.Error(err)
				<-ended
				return
			}
		}
	}
}

// say plays bytes to a surface and waits for the end that they must come to. What is said does not matter, that it ends does.
func (g *target) say(on string, parts []string) error {
	if on == "coap" || on == "mqttsn" {
		return g.throw(on, parts)
	}
	c, err := g.dial(on)
	if err != nil {
		return err
	}
	defer c.Close()
	go func() {
		for _, b := range parts {
			if c.send(b) != nil {
				return
			}
		}
		c.half()
	}()
	if got, err := c.answer(); err != nil && !reset(err) && !strings.Contains(err.Error(), "EOF") {
		return fmt.Errorf("%s: %s: it said %q and then %w", on, brief(strings.Join(parts, "")), got, err)
	}
	return nil
}

// throw sends datagrams; a question at the end shows that the endpoint is there still. A few addresses are used again and
// again, so that what the endpoint may keep for an address is bounded.
func (g *target) throw(on string, parts []string) error {
	last, reply := endpointOf(on).last, endpointOf(on).reply
	c := <-g.addresses[on]
	defer func() { g.addresses[on] <- c }()
	c.SetDeadline(time.Now().Add(rig.Patience))
	for i, d := range parts {
		if on == "coap" && len(d) > 3 && d[0]&0x20 == 0 { // a message of its own, no repetition
			d = d[:2] + u16(next()) + d[4:]
		}
		if _, err := c.Write([]byte(d)); err != nil {
			return fmt.Errorf("%s: datagram %d: %w", on, i, err)
		}
	}
	c.Write([]byte(last))
	for buf := make([]byte, 64<<10); ; {
		n, err := c.Read(buf)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", on, brief(strings.Join(parts, "")), err)
		}
		if string(buf[:n]) == reply {
			return nil
		}
	}
}

// open makes the addresses that datagrams are thrown from.
func (g *target) open(t *testing.T) {
	g.addresses = map[string]chan net.Conn{}
	for _, c := range thrown {
		g.addresses[c.on] = make(chan net.Conn, workers)
		for range workers {
			nc, err := datagrams(g.At[c.on])
			if err != nil {
				t.Fatal(err)
			}
			g.addresses[c.on] <- nc
		}
	}
}

// shut closes them.
func (g *target) shut() {
	for _, free := range g.addresses {
		for range workers {
			(<-free).Close()
		}
	}
}

// truncated cuts each valid conversation at every length: the rest never comes, and our side is closed. Each part alone is
// cut too, in the place where it belongs, with the next one behind it.
func truncated(c conversation) (all [][]string) {
	for i, part := range c.parts {
		step := max(1, len(part)/16)
		for n := 0; n < len(part); n += step {
			cut := append(c.parts[:i:i], part[:n])
			all = append(all, cut)
			if i+1 < len(c.parts) && n%4 == 1 {
				all = append(all, append(cut[:len(cut):len(cut)], c.parts[i+1]))
			}
		}
	}
	return all
}

// mutated changes a valid conversation at random.
func mutated(r *rand.Rand, c conversation) []string {
	parts := append([]string(nil), c.parts...)
	for range 1 + r.IntN(4) {
		i := r.IntN(len(parts))
		switch b := []byte(parts[i]); r.IntN(8) {
		case 0: // another order
			j := r.IntN(len(parts))
			parts[i], parts[j] = parts[j], parts[i]
		case 1: // once more
			parts = append(parts, parts[i])
		case 2: // left out
			parts[i] = ""
		case 3: // of another protocol
			other := append(streamed, thrown...)[r.IntN(len(streamed)+len(thrown))].parts
			parts[i] = other[r.IntN(len(other))]
		default:
			parts[i] = string(damaged(r, b))
		}
	}
	return parts
}

// damaged changes bytes.
func damaged(r *rand.Rand, b []byte) []byte {
	if len(b) == 0 {
		return []byte{byte(r.Uint32())}
	}
	at := r.IntN(len(b))
	odd := []byte{0, 1, 0x7f, 0x80, 0xff, '\n', '\r', '+', '#', '/', '$', '%'}
	switch r.IntN(5) {
	case 0:
		b[at] ^= 1 << r.IntN(8)
	case 1:
		b[at] = odd[r.IntN(len(odd))]
	case 2:
		return append(b[:at:at], b[min(len(b), at+1+r.IntN(4)):]...)
	case 3:
		return append(b[:at:at], append([]byte(strings.Repeat(string(odd[r.IntN(len(odd))]), 1+r.IntN(300))), b[at:]...)...)
	default:
		for k := at; k < min(len(b), at+4); k++ {
			b[k] = 0xff
		}
	}
	return b
}

func (g *target) truncations(t *testing.T, p *pulse, all []conversation) {
	for _, c := range all {
		var jobs []func() error
		for _, cut := range truncated(c) {
			jobs = append(jobs, func() error { return g.say(c.on, cut) })
		}
		p.inParallel(t, jobs)
		g.sane(t, false)
	}
}

// mutations runs for some rounds, or for as long as ABUSE_MUTATE says. A round is known by its number, so that it can be run
// again.
func (g *target) mutations(t *testing.T, p *pulse, all []conversation) {
	rounds, end := 12, time.Time{}
	if d, err := time.ParseDuration(os.Getenv("ABUSE_MUTATE")); err == nil {
		rounds, end = 1<<30, time.Now().Add(d/2)
	}
	for round := 0; round < rounds && (end.IsZero() || time.Now().Before(end)); round++ {
		r := rand.New(rand.NewPCG(1, uint64(round)))
		var jobs []func() error
		for _, c := range all {
			for range 8 {
				m := mutated(r, c)
				jobs = append(jobs, func() error { return g.say(c.on, m) })
			}
		}
		p.inParallel(t, jobs)
		g.sane(t, false)
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
}
