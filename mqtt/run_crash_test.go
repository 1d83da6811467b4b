package mqtt

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// dying is a store that ends with one of its writes.
type dying struct {
	*adaptertest.Store
	how  string // "before" the write, "after" it, or its error
	err  error
	gate chan struct{}

	mu   sync.Mutex
	left int // writes until then. Guarded by mu.
}

func (d *dying) Write(b []*core.Batch, sync bool) error {
	d.mu.Lock()
	left := d.left
	if d.left--; left != 0 {
		d.mu.Unlock()
		return d.Store.Write(b, sync)
	}
	d.mu.Unlock()
	if d.err != nil {
		d.Store.Fail(d.err)
		return d.err
	}
	if d.how == "after" {
		if err := d.Store.Write(b, sync); err != nil {
			return err
		}
	}
	<-d.gate
	return core.ErrStoreClosed
}

func (d *dying) dead() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.left < 0
}

// stored is a store with what another has.
func stored(from core.Store) *adaptertest.Store {
	var b core.Batch
	for r := range from.Scan(nil, []byte{0xFF, 0xFF}) {
		b.Set(r.Key, r.Value)
	}
	to := adaptertest.NewStore()
	to.Write([]*core.Batch{&b}, true)
	return to
}

// twice are a publisher and a reader of QoS 2 who know what they have done, over
// a crash of the server. They send the packets of a step in one write.
type twice struct {
	v         packet.Version
	p, r      *peer
	open      []*packet.Publish // whose PUBCOMP has not come
	releases  []uint16          // of them, those whose PUBREC has come, in its order
	refused   []string
	held      map[uint16]bool // by the reader
	delivered []string
}

func (x *twice) connect(w *world) {
	opt := resume
	if x.v >= packet.V5 {
		opt = keep(1000)
	}
	x.p, x.r = w.dial("p", x.v, opt), w.dial("r", x.v, opt)
}

// publish sends so many new messages, under the lowest identifiers that are free.
func (x *twice) publish(first, n int) {
	var all []byte
	id := uint16(1)
	for i := range n {
		for slices.ContainsFunc(x.open, func(m *packet.Publish) bool { return m.ID == id }) {
			id++
		}
		m := pub("a", fmt.Sprint(first+i), 2, id)
		all = m.AppendTo(all, x.v)
		x.open = append(x.open, m)
	}
	x.p.Send(all)
}

// repeat sends again what is open. [MQTT-4.4.0-1]
func (x *twice) repeat() {
	var all []byte
	for _, m := range x.open {
		if !slices.Contains(x.releases, m.ID) {
			m.Dup = true
			all = m.AppendTo(all, x.v)
		}
	}
	for _, id := range x.releases {
		all = packet.AppendAck(all, x.v, packet.PUBREL, id, packet.Success)
	}
	x.p.Send(all)
}

// step answers what has come; false: nothing has.
func (x *twice) step() (more bool) {
	var out []byte
	say := func(kind packet.Type, id uint16) { out = packet.AppendAck(out, x.v, kind, id, packet.Success) }
	for _, in := range x.p.packets() {
		a, ok := in.(*packet.Ack)
		if !ok {
			continue
		}
		i := slices.IndexFunc(x.open, func(m *packet.Publish) bool { return m.ID == a.ID })
		switch {
		case a.Type == packet.PUBREC && !a.Code.Failed():
			if !slices.Contains(x.releases, a.ID) {
				x.releases = append(x.releases, a.ID)
			}
			say(packet.PUBREL, a.ID)
			continue
		case a.Type == packet.PUBREC:
			x.refused = append(x.refused, string(x.open[i].Payload))
		}
		x.open = slices.Delete(x.open, i, i+1)
		x.releases = slices.DeleteFunc(x.releases, func(id uint16) bool { return id == a.ID })
	}
	x.p.Send(out)
	more = len(out) > 0
	out = nil
	for _, in := range x.r.packets() {
		switch in := in.(type) {
		case *packet.Publish:
			if !x.held[in.ID] {
				x.held[in.ID] = true
				x.delivered = append(x.delivered, string(in.Payload))
			}
			say(packet.PUBREC, in.ID)
		case *packet.Ack:
			delete(x.held, in.ID)
			say(packet.PUBCOMP, in.ID)
		}
	}
	x.r.Send(out)
	return more || len(out) > 0
}

// A crash amid runs of QoS 2, before or after any write to the store, and a write
// that fails, lose and double nothing: the identifiers are stored with the
// messages. What was on its way to the clients may be lost with the connection.
func TestRunsOfQoS2AreExactlyOnceOverCrashes(t *testing.T) {
	t.Parallel()
	const each = 12
	for _, v := range []packet.Version{v311, v5} {
		for _, how := range []string{"before", "after", "EIO", "ENOSPC"} {
			for _, lost := range []bool{false, true} {
				for at, died := 0, true; died; at++ {
					d := &dying{Store: adaptertest.NewStore(), how: how, left: -1}
					d.err = map[string]error{"EIO": syscall.EIO, "ENOSPC": syscall.ENOSPC}[how]
					x := &twice{v: v, held: map[uint16]bool{}}
					var after *adaptertest.Store
					runHere(t, nil, func(w *world) {
						x.connect(w)
						x.r.send(sub(1, "a", 2))
						x.publish(1, 1) // the topic is known
						for x.step() {
						}
						d.gate = make(chan struct{})
						d.mu.Lock()
						d.left = at
						d.mu.Unlock()
						for first := 2; first < 2+3*each; first += each {
							x.publish(first, each)
							for i := 0; i < 1+first/each || first > 2*each; i++ { // the next round begins amid the one before
								if lost && d.dead() {
									x.p.Recv()
									x.r.Recv()
								}
								if !x.step() {
									break
								}
							}
						}
						died = d.dead()
						after = stored(d.Store)
						close(d.gate)
					}, func(o *adaptertest.Options) { o.Store = d })
					runHere(t, nil, func(w *world) {
						x.connect(w)
						x.repeat()
						for x.step() {
						}
						if n := w.Router.Stats().Namespaces[0]; n.InFlight != 0 || n.QueueMessages != 0 || len(x.open) > 0 || len(x.held) > 0 {
							t.Errorf("%s, %s write %d: %d in flight, %d wait, the clients hold %d and %d", v, how, at, n.InFlight, n.QueueMessages, len(x.open), len(x.held))
						}
					}, func(o *adaptertest.Options) { o.Store = after })
					var want []string
					for i := range 1 + 3*each {
						if s := fmt.Sprint(1 + i); !slices.Contains(x.refused, s) {
							want = append(want, s)
						}
					}
					if !slices.Equal(x.delivered, want) {
						t.Errorf("%s, %s write %d, lost %t: delivered %v; refused %v", v, how, at, lost, x.delivered, x.refused)
					}
					if how == "before" && at > 100 {
						t.Fatal("the store is written without an end")
					}
				}
			}
		}
	}
}

// What ends a connection in the middle of what came in one read ends it there,
// and what stands before it is done.
func TestWhatIsWrongAmidARunOfQoS2EndsTheConnectionThere(t *testing.T) {
	t.Parallel()
	publish := func(id uint16) []byte { return pub("a", fmt.Sprint(id), 2, id).AppendTo(nil, v5) }
	say := func(kind packet.Type) func(uint16) []byte {
		return func(id uint16) []byte { return packet.AppendAck(nil, v5, kind, id, packet.Success) }
	}
	cut := publish(3)
	cut[1] = 3 // its topic is longer than itself
	topic := publish(3)
	topic[4] = '#'
	for name, c := range map[string]struct {
		frame func(uint16) []byte
		wrong []byte
		ends  string
	}{
		"identifier 0":            {publish, publish(0), "DISCONNECT 82"},
		"cut short":               {publish, cut[:5], "DISCONNECT 81"},
		"another topic":           {publish, topic, "DISCONNECT 90"},
		"PUBREL 0":                {say(packet.PUBREL), say(packet.PUBREL)(0), "DISCONNECT 82"},
		"PUBREL of three bytes":   {say(packet.PUBREL), []byte{0x62, 1, 0}, "DISCONNECT 81"},
		"PUBREC of three bytes":   {say(packet.PUBREC), []byte{0x50, 1, 0}, "DISCONNECT 81"},
		"PUBREC 0":                {say(packet.PUBREC), say(packet.PUBREC)(0), "DISCONNECT 82"},
		"PUBREC without its code": {say(packet.PUBREC), []byte{0x50, 3, 0, 4, 1}, "DISCONNECT 82"},
		"PUBCOMP before PUBREL":   {say(packet.PUBREC), say(packet.PUBCOMP)(5), "DISCONNECT 82"},
	} {
		var results [2]string
		for together := range 2 {
			runHere(t, nil, func(w *world) {
				p := w.connect("p", v5)
				p.send(sub(1, "a", 2), pub("a", "0", 2, 100))
				for id := uint16(2); id < 9; id++ {
					p.Send(publish(id))
				}
				if c.frame(1)[0] == plain2 {
					for id := uint16(2); id < 9; id++ {
						p.Send(say(packet.PUBREL)(id))
					}
				}
				p.recv()
				var parts [][]byte
				for id := uint16(2); id < 7; id++ {
					if id == 4 {
						parts = append(parts, c.wrong)
					}
					parts = append(parts, c.frame(id))
				}
				p.Send(bytes.Join(parts, between[together]))
				got := heard(p)
				if len(got) != 3 || got[2] != c.ends {
					t.Errorf("%s: got %q", name, got)
				}
				results[together] = fmt.Sprintln(strings.Join(got, "\n"), w.count("mqtt_qos2_held"), w.Router.Stats().Namespaces[0].InFlight,
					w.count("mqtt_packets_total", "in", packet.Type(c.frame(1)[0]>>4).String()), w.Host.Metrics.Traffic(Name).Messages[0][2].Load())
			})
		}
		if results[0] != results[1] {
			t.Errorf("%s: alone\n%s\ntogether\n%s", name, results[0], results[1])
		}
	}
}
