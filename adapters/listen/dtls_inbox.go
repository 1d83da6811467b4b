package listen

import (
	"sync"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// secureEvent is what the loop is told of an association: a datagram, that it
// is silent, that it has ended.
type secureEvent struct {
	a     *association
	b     []byte
	idle  bool
	ended bool
}

const (
	inboxBytes  = 4 << 20 // decrypted, before the loop; beyond, datagrams are dropped and counted
	inboxEvents = 16384
)

// secureInbox is filled by the associations and emptied by the loop.
type secureInbox struct {
	mu    sync.Mutex // guards what follows
	queue []secureEvent
	bytes int
}

// post tells the loop. An end is never dropped.
func (d *dtlsServer) post(ev secureEvent) {
	i := &d.inbox
	i.mu.Lock()
	if !ev.ended && (len(i.queue) >= inboxEvents || i.bytes+len(ev.b) > inboxBytes) {
		i.mu.Unlock()
		d.l.counts.dropped("busy")
		return
	}
	i.queue = append(i.queue, ev)
	i.bytes += len(ev.b)
	first := len(i.queue) == 1
	i.mu.Unlock()
	if first {
		d.e.post(bitChunk)
	}
}

// deliver gives the room a round of what has come. Called by the loop.
func (d *dtlsServer) deliver() {
	i := &d.inbox
	if len(d.batch) == 0 {
		i.mu.Lock()
		d.batch = i.queue
		i.queue, i.bytes = nil, 0
		i.mu.Unlock()
	}
	for range min(len(d.batch), datagramRound) {
		if d.e.over {
			return
		}
		ev := d.batch[0]
		d.batch[0] = secureEvent{}
		d.batch = d.batch[1:]
		d.event(ev)
	}
	i.mu.Lock()
	more := len(d.batch)+len(i.queue) > 0
	i.mu.Unlock()
	if more && d.e.state.Or(bitChunk|bitQueued)&bitQueued == 0 { // after the loop's others
		d.e.loop.dirty = append(d.e.loop.dirty, &d.e.link)
	}
}

func (d *dtlsServer) event(ev secureEvent) {
	id := ev.a.Association
	switch {
	case ev.ended:
		if d.live[id] != nil {
			delete(d.live, id)
			d.call(func(t *core.Turn, out *adapters.Output) { d.room.Gone(t, id, core.ConnectionLost, out) })
		}
	case ev.idle:
		if d.idle(id) {
			ev.a.finish()
		}
	default:
		d.live[id] = ev.a
		d.l.counts.datagram(adapters.In, len(ev.b))
		d.call(func(t *core.Turn, out *adapters.Output) { d.room.Secure(t, id, ev.b, out) })
	}
}

// call drives the room, which a panic of its own does not end.
func (d *dtlsServer) call(f func(t *core.Turn, out *adapters.Output)) {
	out := d.e.loop.output()
	func() {
		defer d.e.rescue()
		f(d.e.loop.turn, out)
	}()
	d.e.flush(out)
}

func (d *dtlsServer) idle(id *adapters.Association) (idle bool) {
	defer d.e.rescue()
	return d.room.Idle(id)
}

// send gives an association an answer of the room. Called by the loop.
func (d *dtlsServer) send(id *adapters.Association, b []byte) {
	if a := d.live[id]; a != nil && a.send(b) {
		d.l.counts.datagram(adapters.Out, len(b))
		return
	}
	d.l.counts.dropped("unsent")
}
