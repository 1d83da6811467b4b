package core_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/store/disk"
)

// storm is a router on a disk that fails, with queues far beyond their windows,
// whose process is stopped, killed and cut off, and a ledger outside of it.
type storm struct {
	t        *testing.T
	trace    string
	rng      *rand.Rand
	options  core.Options
	fs       *vfs.MemFS
	blocks   bool // the log is written in blocks
	store    *disk.Lasting
	router   *core.Router
	lost     atomic.Bool // the store was given up, as a gateway that ends
	failures atomic.Int64
	skip     atomic.Int64
	many     atomic.Int64 // failures to come; of the disk's changes
	why      atomic.Value

	orphans uint64 // that the start was allowed to find
	remade  bool   // a queue or session was ended
	step    int
	life    int
	synced  int // what was done in steps before it survives whatever comes
	ops     string
	n       int
	pub     *stormPeer
	sent    []stormSent // not acknowledged, in order
	doubt   []stormSent // could not be stored, or were
	done    map[int]int // identifiers to be released, and in which step they were last
	fates   map[int]fate
	books   []*stormQueue
}

type stormSent struct {
	n    int
	qos  uint8
	step int
	seq  uint64
}

// stormPeer is a connection in real time.
type stormPeer struct {
	*core.Session
	turn  *core.Turn
	ready chan struct{}
	more  []*core.Consumer // were stopped by the room
}

func (p *stormPeer) Evict(core.Reason) {}

func (p *stormPeer) Ready(*core.Turn) {
	select {
	case p.ready <- struct{}{}:
	default:
	}
}

// stormQueue is who takes from one queue.
type stormQueue struct {
	book
	client core.Client
	subs   []core.Subscription
	get    bool // by basic.get
	peer   *stormPeer
	held   []stormHeld
	over   bool // it was ended, and is not known to be there again
}

type stormHeld struct {
	core.Delivery
	x    *copyOf
	half uint64 // what the first half of QoS 2 waits for
}

type stormFailure string

func (s *storm) fail(format string, args ...any) {
	panic(stormFailure(fmt.Sprintf(format, args...)))
}

const stormPatience = 30 * time.Second

// disk fails its changes as the storm wants.
func (s *storm) disk() vfs.FS {
	return errorfs.Wrap(s.fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpRename, errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
		default:
			return nil
		}
		if s.many.Load() <= 0 || s.skip.Add(-1) >= 0 || s.many.Add(-1) < 0 {
			return nil
		}
		return s.why.Load().(syscall.Errno)
	}))
}

func (s *storm) open() {
	s.many.Store(0)
	s.lost.Store(false)
	o := disk.Options{
		FS: s.disk(), Blocks: s.blocks, Memtable: 64 << 10, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Lost: func(error) { s.lost.Store(true) }, Errors: func(string) { s.failures.Add(1) },
		Patience: disk.Patience{First: time.Millisecond, Most: 4 * time.Millisecond, Tries: 50, Calm: time.Minute, Grace: 20 * time.Millisecond},
	}
	store, err := disk.OpenLasting("data", o)
	if err != nil {
		s.fail("open: %v", err)
	}
	s.store = store
	options := s.options
	options.Store = store
	var said strings.Builder
	options.Log = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if s.router, err = core.New(options); err != nil {
		_ = store.Close()
		s.fail("start: %v", err)
	}
	if n := s.router.Stats().Orphans; n > 0 && !s.endedInPart(said.String()) {
		s.fail("%d orphans at the start: %s", n, &said)
	}
}

// wait waits until something is so, or the store is lost.
func (s *storm) wait(p *stormPeer, what string, so func() bool) bool {
	p.turn.End()
	end := time.NewTimer(stormPatience)
	defer end.Stop()
	tick := time.NewTicker(5 * time.Millisecond) // for the store's loss
	defer tick.Stop()
	for woken := true; !woken || !so(); {
		if s.lost.Load() {
			return false
		}
		select {
		case <-p.ready:
			woken = true
		case <-tick.C:
			woken = false
		case <-end.C:
			s.fail("%s: nothing comes", what)
		}
	}
	p.turn.Begin()
	return true
}

// attach is nil when the store does not take it now.
func (s *storm) attach(c core.Client) *stormPeer {
	p := &stormPeer{turn: s.router.NewTurn(nil), ready: make(chan struct{}, 1)}
	var reason core.Reason
	if p.Session, reason = s.router.Attach(p.turn, c, p); reason != core.OK {
		p.turn.End()
		return nil
	}
	if !s.wait(p, "attach "+c.ID, func() bool { ok, _ := p.State(); return ok }) {
		return nil
	}
	return p
}

func (s *storm) detach(q *stormQueue) {
	if q.peer == nil {
		return
	}
	q.peer.Detach(q.peer.turn, core.ConnectionLost)
	q.peer.turn.End()
	q.peer, q.held, q.left = nil, nil, s.step
	for _, x := range q.copies {
		x.held = false
	}
}

// publisher comes back, and asks what became of what it was not told of.
func (s *storm) publisher() {
	if s.pub != nil {
		return
	}
	if s.pub = s.attach(core.Client{ID: "publisher", Expiry: time.Hour}); s.pub == nil {
		return
	}
	for _, x := range append(s.doubt, s.sent...) {
		if x.qos < 2 {
			continue
		}
		there := s.pub.Seen(uint64(x.n))
		for _, q := range s.books {
			if c := q.find(x.n); c != nil {
				c.maybe, c.acked, c.absent = false, there, !there
			}
		}
		if there {
			s.done[x.n] = 0
		}
	}
	for n := range s.done { // PUBREL once more
		s.release(n)
	}
	s.pub.turn.End()
	s.sent, s.doubt = nil, nil
}

func (s *storm) release(n int) {
	s.done[n] = s.step
	s.pub.Forget(s.pub.turn, uint64(n))
}

var stormTopics = []string{"all", "all", "two", "one", "small", "$queue/work"}

func (s *storm) publish(topic string, qos uint8, size int) bool {
	if s.publisher(); s.pub == nil {
		return false
	}
	p := s.pub
	mt, reason := p.Route(p.turn, []byte(topic))
	if reason != core.OK {
		s.fail("%s: %v", topic, reason)
	}
	n := s.n + 1
	m := core.NewMessage(fmt.Appendf(nil, "%0*d", 1+size, n))
	m.Topic, m.QoS = mt.Topic(), qos
	if qos == 2 {
		p.Remember(p.turn, uint64(n))
	}
	seq, pending, reason := p.Publish(p.turn, mt, m)
	switch reason {
	case core.OK:
	case core.Unavailable, core.DiskFull:
		if qos == 2 {
			p.Forget(p.turn, uint64(n))
		}
		return false
	default:
		s.fail("publish to %s: %v", topic, reason)
	}
	if !pending {
		s.fail("%d to %s is acknowledged before it is stored", n, topic)
	}
	s.n = n
	for _, q := range s.books {
		if q.wants(topic) {
			q.put(copyOf{n: n, qos: qos, born: s.life, pending: true})
		}
	}
	s.sent = append(s.sent, stormSent{n, qos, s.step, seq})
	return true
}

func (q *stormQueue) wants(topic string) bool {
	for _, sub := range q.subs {
		if sub.Filter == topic || sub.Filter == "$share/g/"+topic {
			return true
		}
	}
	return false
}

// note reads what is acknowledged.
func (s *storm) note() {
	if s.pub == nil {
		return
	}
	s.noted()
	for n, step := range s.done {
		if step == 0 {
			s.release(n)
		}
	}
	s.pub.turn.End()
}

func (s *storm) noted() {
	if s.pub == nil {
		return
	}
	safe := s.pub.Safe()
	i := 0
	for ; i < len(s.sent) && s.sent[i].seq <= safe; i++ {
		x := s.sent[i]
		failed := s.pub.Failed(x.seq)
		for _, q := range s.books {
			if c := q.find(x.n); c != nil {
				c.acked, c.pending, c.maybe = !failed, false, failed
				s.recorded(c)
			}
		}
		if failed {
			s.doubt = append(s.doubt, x)
			continue
		}
		s.synced = max(s.synced, x.step)
		if x.qos == 2 {
			s.done[x.n] = 0
		}
	}
	s.sent = s.sent[i:]
}

// take takes what is owed, up to n.
func (s *storm) take(q *stormQueue, n int) (took int) {
	p := q.peer
	p.turn.Begin()
	defer p.turn.End()
	for n > 0 {
		var c *core.Consumer
		if k := len(p.more); k > 0 {
			c, p.more = p.more[k-1], p.more[:k-1]
		} else if c = p.NextReady(); c == nil {
			return took
		}
		into := make([]core.Delivery, 0, min(n, 1+s.rng.IntN(7)))
		window := q.window - len(q.held)
		ds := c.Take(p.turn, into, window)
		for i := range ds {
			s.got(q, &ds[i])
		}
		took += len(ds)
		n -= len(ds)
		if len(ds) == cap(into) || q.window == len(q.held) {
			p.more = append(p.more, c)
			if q.window == len(q.held) {
				return took
			}
		}
	}
	return took
}

func (s *storm) got(q *stormQueue, d *core.Delivery) {
	s.delivered(&q.book, d)
	n, _ := strconv.Atoi(string(d.Message.Payload))
	h := stormHeld{Delivery: *d, x: q.find(n)}
	q.held = append(q.held, h)
}

// getOne takes by basic.get.
func (s *storm) getOne(q *stormQueue) bool {
	d, _, ok, later, reason := q.peer.TakeOne(q.peer.turn, "work", false)
	for later {
		asleep := true
		if !s.wait(q.peer, "get", func() bool { asleep = !asleep; return asleep }) {
			return false
		}
		d, _, ok, later, reason = q.peer.TakeOne(q.peer.turn, "work", false)
	}
	if q.peer.turn.End(); reason != core.OK {
		s.fail("get: %v", reason)
	}
	if ok {
		s.got(q, &d)
	}
	return ok
}

// settle moves some of what is held on.
func (s *storm) settle(q *stormQueue, share int) {
	p := q.peer
	var kept []stormHeld
	for _, h := range q.held {
		if s.rng.IntN(100) >= share {
			kept = append(kept, h)
			continue
		}
		switch {
		case h.QoS == 2 && q.ids != nil && h.half == 0 && !h.Received: // PUBREC
			h.half, _ = h.Consumer.Settle(p.turn, h.Seq, core.Received)
			if h.half == 0 {
				s.fail("%s: the first half of %d is not stored", q.name, h.x.n)
			}
			kept = append(kept, h)
			continue
		case h.QoS == 2 && q.ids != nil && p.Safe() < h.half:
			kept = append(kept, h)
			continue
		case h.QoS == 2 && q.ids != nil: // PUBREL has come: the receiver forgets the identifier
			delete(q.ids, h.Seq)
		case s.rng.IntN(8) == 0 && q.name == "work":
			h.Consumer.Settle(p.turn, h.Seq, core.Released)
			h.x.held = false
			continue
		}
		h.Consumer.Settle(p.turn, h.Seq, core.Accepted)
		h.x.held = false
		s.ended(h.x)
	}
	q.held = kept
	p.turn.End()
}

func (s *storm) come(q *stormQueue) {
	if q.peer != nil {
		return
	}
	if q.peer = s.attach(q.client); q.peer == nil {
		return
	}
	if q.client.ID == "" && !q.get {
		if _, reason := q.peer.Consume(q.peer.turn, "work", core.ConsumeOptions{QoS: 2, AckAll: true}); reason != core.OK {
			s.fail("consume: %v", reason)
		}
		q.peer.turn.End()
	}
}

func (s *storm) purge() {
	p := s.attach(core.Client{})
	if p == nil {
		return
	}
	if _, reason := p.Purge(p.turn, "work"); reason != core.OK && reason != core.Unavailable && reason != core.DiskFull {
		s.fail("purge: %v", reason)
	} else if reason == core.OK {
		for _, x := range s.books[len(s.books)-1].copies {
			if !x.held && x.ended == 0 {
				s.ended(x)
			}
		}
	}
	p.turn.End()
	p.Detach(p.turn, core.Normal)
	p.turn.End()
}

// cut ends a life without a word. What was not synced may be lost, in part.
func (s *storm) cut(kept int) {
	s.note()
	after := s.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: s.rng})
	s.gone()
	s.fs = after
	s.begin()
}

// stop is an orderly end.
func (s *storm) stop() {
	for _, q := range s.books {
		s.detach(q)
	}
	if s.pub != nil {
		s.pub.Detach(s.pub.turn, core.Normal)
		s.pub.turn.End()
	}
	failures := s.failures.Load()
	s.router.Close()
	failed := s.router.StoreFailed()
	s.noted()
	s.router, s.pub = nil, nil
	if err := s.store.Close(); err == nil && s.failures.Load() == failures && !s.lost.Load() && !failed { // else what nobody waits for may be lost
		s.step++
		s.synced = s.step
	} else if err != nil && !errors.Is(err, syscall.EIO) && !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, disk.ErrLeft) {
		s.fail("close: %v", err)
	}
	s.begin()
}

// gone takes the life away that is over for everybody outside.
func (s *storm) gone() {
	s.many.Store(0)
	if s.router != nil {
		s.store.GiveUp()
		s.router.Close()
		_ = s.store.Close()
	}
	s.router, s.pub = nil, nil
}

func (s *storm) begin() {
	s.life++
	for _, q := range s.books {
		q.loose = q.loose || q.peer != nil || q.left >= s.synced
		q.peer, q.held = nil, nil
		q.crashed(s.synced)
		s.prune(&q.book)
	}
	for n, step := range s.done {
		if s.done[n] = 0; step != 0 && step < s.synced {
			delete(s.done, n)
		}
	}
	s.open()
}

// setUp makes what is to survive everything.
func (s *storm) setUp() {
	all := func(filters ...string) (subs []core.Subscription) {
		for _, f := range filters {
			subs = append(subs, core.Subscription{Filter: f, QoS: 2})
		}
		return subs
	}
	client := func(id string) core.Client { return core.Client{ID: id, Expiry: time.Hour} }
	small, most := client("small"), 0
	if most = 12 * s.rng.IntN(2); most > 0 {
		small.Queue.Messages = most
	}
	s.books = []*stormQueue{
		{book: book{name: "two", qos: 2, window: 5, ids: map[uint64]int{}}, client: client("two"), subs: all("all", "two")},
		{book: book{name: "one", qos: 1, window: 7, ids: map[uint64]int{}}, client: client("one"), subs: []core.Subscription{{Filter: "all", QoS: 1}, {Filter: "one", QoS: 1}}},
		{book: book{name: "small", qos: 2, window: 3, most: most, ids: map[uint64]int{}}, client: small, subs: all("all", "small")},
		{book: book{name: "member", qos: 2, window: 4, apart: true, ids: map[uint64]int{}}, client: client("member"), subs: all("$share/g/all")},
		{book: book{name: "work", qos: 2, window: 6}, get: s.rng.IntN(2) == 0, subs: all("all", "$queue/work")},
	}
	for _, q := range s.books[:len(s.books)-1] {
		s.come(q)
		_, seq, _ := q.peer.Subscribe(q.peer.turn, q.subs, nil)
		s.wait(q.peer, "subscribe", func() bool { return q.peer.Safe() >= seq })
	}
	p := s.attach(core.Client{})
	p.Declare(p.turn, core.QueueSpec{Name: "work", Durable: true})
	seq, _, _ := p.Bind(p.turn, "work", core.Subscription{Filter: "all", QoS: 2})
	s.wait(p, "bind", func() bool { return p.Safe() >= seq })
	p.Detach(p.turn, core.Normal)
	p.turn.End()
	s.publisher()
}

func (s *storm) act() {
	s.step++
	if !s.whole() {
		return
	}
	q := s.books[s.rng.IntN(len(s.books))]
	var op string
	switch x := s.rng.IntN(100); {
	case x < 30:
		topic, n, qos := stormTopics[s.rng.IntN(len(stormTopics))], 1+s.rng.IntN(25), uint8(1+s.rng.IntN(2))
		op = fmt.Sprint("publish ", n, " to ", topic)
		for range n {
			if s.rng.IntN(4) == 0 {
				s.step++
			}
			if !s.publish(topic, qos, s.rng.IntN(20)*s.rng.IntN(20)) {
				break
			}
			if s.rng.IntN(3) == 0 {
				s.pub.turn.End()
			}
		}
		if s.pub != nil {
			s.pub.turn.End()
		}
	case x < 40:
		op = "await"
		if s.pub != nil && len(s.sent) > 0 {
			last := s.sent[len(s.sent)-1].seq
			s.wait(s.pub, "acknowledgements", func() bool { return s.pub.Safe() >= last })
		}
	case x < 48:
		op = "attach " + q.name
		s.come(q)
	case x < 52:
		op = "detach " + q.name
		s.detach(q)
	case x < 70:
		op = "take " + q.name
		switch {
		case q.peer == nil:
		case q.get:
			for n := s.rng.IntN(6); n > 0 && len(q.held) < q.window && s.getOne(q); n-- {
			}
		default:
			s.take(q, 1+s.rng.IntN(12))
		}
	case x < 86:
		op = "settle " + q.name
		if q.peer != nil {
			s.settle(q, 30+s.rng.IntN(80))
		}
	case x < 88:
		op = "purge"
		s.purge()
	case x < 90:
		op = "end " + q.name
		s.remake(q)
	case x < 94:
		why := []syscall.Errno{syscall.EIO, syscall.ENOSPC}[s.rng.IntN(2)]
		op = "fault " + why.Error()
		s.why.Store(why)
		s.skip.Store(int64(s.rng.IntN(12)))
		s.many.Store(int64(1 + s.rng.IntN(8)))
	case x < 97:
		op = "stop"
		s.stop()
	default:
		kept := s.rng.IntN(3) * 50
		op = fmt.Sprint("cut ", kept)
		s.cut(kept)
	}
	if s.ops += " | " + op; s.lost.Load() {
		s.ops += " | lost"
		s.cut(0)
	}

	if s.note(); s.router.Stats().Orphans > s.orphans {
		s.fail("%d orphans", s.router.Stats().Orphans)
	}
}

// drain takes everything, and nothing may be left.
func (s *storm) drain() {
	s.step++
	s.many.Store(0)
	for !s.whole() {
	}
	for s.publisher(); s.pub == nil; s.publisher() {
	}
	for _, topic := range []string{"all", "all"} { // the first that comes after an outage may be refused
		for !s.publish(topic, 2, 0) {
		}
	}
	last := s.sent[len(s.sent)-1].seq
	s.wait(s.pub, "acknowledgements", func() bool { return s.pub.Safe() >= last })
	s.note()
	for _, q := range s.books {
		for s.come(q); q.peer == nil; s.come(q) {
		}
		for len(q.held) > 0 || s.waiting(q) > 0 {
			if q.get {
				for len(q.held) < q.window && s.getOne(q) {
				}
			} else {
				s.take(q, 20)
			}
			s.settle(q, 100)
			if len(q.held) > 0 || s.waiting(q) > 0 {
				s.drained(q)
			}
		}
		if q.owed() > 0 {
			s.fail("did not come: %s", &q.book)
		}
		s.detach(q)
	}
	s.stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(stormPatience); s.left() != ""; <-tick.C { // the pager goes on with what it had to remove
		if time.Now().After(end) {
			s.fail("%s is left; in doubt %v, safe %d", s.left(), s.doubt, s.synced)
		}
	}
}

// left is a record of something that is over.
func (s *storm) left() string {
	for _, kind := range []byte("qmpcd") {
		for rec, err := range s.store.Scan([]byte{kind}, []byte{kind + 1}) {
			return fmt.Sprintf("%q, %v", rec.Key, err)
		}
	}
	return ""
}

// waiting is what a receiver has to get, more or less.
func (s *storm) waiting(q *stormQueue) int {
	if q.client.ID == "" {
		info, _ := q.peer.Inspect("work")
		return info.Waiting
	}
	n, _ := s.router.InQueue(q.client.ID)
	if q.apart {
		n += s.router.InGroups()
	}
	return n
}

// drained waits until there is something to do.
func (s *storm) drained(q *stormQueue) {
	if q.get || len(q.peer.more) > 0 {
		return
	}
	for _, h := range q.held {
		if q.peer.Safe() >= h.half {
			return
		}
	}
	select {
	case <-q.peer.ready:
	case <-time.After(stormPatience):

		n, bytes := s.router.InQueue(q.client.ID)
		s.fail("nothing comes, of %s; %d held, %d wait, %d bytes, %d in memory", &q.book, len(q.held), n, bytes, s.router.InMemory(q.client.ID))
	}
}

// run is one storm; what it found.
func (s *storm) run(seed uint64, steps int) (found string) {
	s.rng = rand.New(rand.NewPCG(seed, 7))
	s.blocks = seed%2 == 0
	s.options = core.SmallPages(core.Options{}, []int{1, 2, 5, 8}[s.rng.IntN(4)])
	s.fs, s.fates, s.done = vfs.NewCrashableMem(), map[int]fate{}, map[int]int{}
	defer func() {
		if p := recover(); p != nil {
			x, ok := p.(stormFailure)
			if !ok {
				panic(p)
			}
			found = fmt.Sprintf("seed %d: %s: %s", seed, s.ops, string(x))
		}
		s.gone()
	}()
	s.open()
	s.setUp()
	for range steps {
		s.act()
	}
	s.drain()
	return ""
}

// Queues beyond their windows, a disk that fails, power cuts, kills and stops
// in any order: every message that was acknowledged is delivered, in order, and
// with QoS 2 once; what ended does not come again; and nothing is left behind.
// ENTREPOT_STORM=N runs N of them, with seeds from ENTREPOT_STORM_SEED on.
func TestDESIGN_6_7_R1_NoSequenceOfFailuresLosesOrDoubles(t *testing.T) {
	t.Parallel()
	seed, runs, steps := rand.Uint64(), 8, 150
	if n, err := strconv.Atoi(os.Getenv("ENTREPOT_STORM")); err == nil {
		runs = n
	}
	if n, err := strconv.ParseUint(os.Getenv("ENTREPOT_STORM_SEED"), 10, 64); err == nil {
		seed = n
	}
	for i := range runs {
		if found := (&storm{t: t}).run(seed+uint64(i), steps); found != "" {
			t.Fatal(found)
		}
	}
}
