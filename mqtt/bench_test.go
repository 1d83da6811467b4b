package mqtt

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// benchLink is a loop's handle that only remembers to wake.
type benchLink struct{ ready bool }

func (l *benchLink) Ready(*core.Turn)  { l.ready = true }
func (l *benchLink) Evict(core.Reason) {}
func (l *benchLink) TickAt(core.Time)  {}
func (l *benchLink) LoggingIn()        {}
func (l *benchLink) Authenticated()    {}
func (l *benchLink) Connected()        {}
func (l *benchLink) Ended(core.Reason) {}

// bencher drives connections without any loop.
type bencher struct {
	tb    testing.TB
	room  *Room
	turn  *core.Turn
	out   adapters.Output
	links []*benchLink
	conns []adapters.Conn
}

func newBencher(tb testing.TB) *bencher { return newBencherWith(tb, &Config{}) }

func newBencherWith(tb testing.TB, cfg *Config) *bencher {
	tb.Helper()
	router, err := core.New(core.Options{Store: adaptertest.NewStore()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(router.Close)
	room, err := New(&adapters.Host{Router: router, Log: discard, Metrics: adapters.NewMetrics()}, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return &bencher{tb: tb, room: room, turn: router.NewTurn(nil)}
}

// connect opens a connection that has said first.
func (b *bencher) connect(v packet.Version, first ...packet.Packet) int {
	l := &benchLink{}
	c := b.room.Open(l, adapters.Info{}, b.turn)
	b.links, b.conns = append(b.links, l), append(b.conns, c)
	id := []byte(fmt.Sprint("c", len(b.conns)))
	in := (&packet.Connect{Version: v, CleanStart: true, ClientID: id}).AppendTo(nil, v)
	for _, p := range first {
		in = p.AppendTo(in, v)
	}
	b.turn.Begin()
	b.input(len(b.conns)-1, in)
	b.wake()
	b.turn.End()
	return len(b.conns) - 1
}

func (b *bencher) input(i int, in []byte) {
	b.out.Reset()
	if n, err := b.conns[i].Input(b.turn, in, &b.out); n != len(in) || err != nil {
		b.tb.Fatalf("consumed %d of %d: %v", n, len(in), err)
	}
}

// wake wakes what is ready and returns the bytes that were written.
func (b *bencher) wake() (n int) {
	for i, l := range b.links {
		if l.ready {
			l.ready = false
			b.out.Reset()
			b.conns[i].Wake(b.turn, &b.out)
			n += len(b.out.B)
		}
	}
	return n
}

// publishes are n PUBLISH packets of 64 bytes of payload.
func publishes(v packet.Version, qos byte, n int) []byte {
	var in []byte
	for i := range n {
		m := pub("site/4711/temperature", strings.Repeat("x", 64), qos, uint16(i+1))
		in = m.AppendTo(in, v)
	}
	return in
}

func benchPublish(b *testing.B, v packet.Version, readers int) {
	x := newBencher(b)
	for range readers {
		x.connect(v, sub(1, "site/4711/temperature", 0))
	}
	p := x.connect(v)
	const batch = 32
	in := publishes(v, 0, batch)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += batch {
		x.turn.Begin()
		x.input(p, in)
		if x.wake() == 0 && readers > 0 {
			b.Fatal("nothing was delivered")
		}
		x.turn.End()
	}
}

func BenchmarkPublishQoS0ToOne(b *testing.B)     { benchPublish(b, packet.V5, 1) }
func BenchmarkPublishQoS0ToOneV311(b *testing.B) { benchPublish(b, packet.V311, 1) }
func BenchmarkPublishQoS0To100(b *testing.B)     { benchPublish(b, packet.V5, 100) }
func BenchmarkPublishQoS0ToNobody(b *testing.B)  { benchPublish(b, packet.V5, 0) }
func BenchmarkPublishQoS1RoundTrip(b *testing.B) { benchExchange(b, 1) }
func BenchmarkPublishQoS2RoundTrip(b *testing.B) { benchExchange(b, 2) }

// benchExchange sends messages through both halves of their acknowledgement.
func benchExchange(b *testing.B, qos byte) {
	x := newBencher(b)
	v := packet.V5
	r := x.connect(v, sub(1, "site/4711/temperature", packet.Options(qos)))
	p := x.connect(v)
	const batch = 32
	in := publishes(v, qos, batch)
	var rel []byte
	for i := range uint16(batch) {
		rel = packet.AppendAck(rel, v, packet.PUBREL, i+1, packet.Success)
	}
	var acks []byte
	answer := func(out []byte) { // what the reader says to what it got
		acks = acks[:0]
		for len(out) > 0 {
			h, _ := packet.Scan(out, 0)
			body := out[h.Head:h.Size()]
			switch {
			case h.Type == packet.PUBLISH:
				id := uint16(body[2+21])<<8 | uint16(body[2+21+1])
				kind := packet.PUBACK
				if qos == 2 {
					kind = packet.PUBREC
				}
				acks = packet.AppendAck(acks, v, kind, id, packet.Success)
			case h.Type == packet.PUBREL:
				acks = packet.AppendAck(acks, v, packet.PUBCOMP, uint16(body[0])<<8|uint16(body[1]), packet.Success)
			}
			out = out[h.Size():]
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += batch {
		x.turn.Begin()
		x.input(p, in)
		x.links[r].ready = false
		x.out.Reset()
		x.conns[r].Wake(x.turn, &x.out)
		answer(x.out.B)
		x.input(r, acks)
		if qos == 2 {
			answer(x.out.B)
			x.input(r, acks)
			x.input(p, rel)
		}
		x.turn.End()
	}
}

func TestAPublishOfQoS0AllocatesItsMessageAlone(t *testing.T) {
	for _, v := range []packet.Version{packet.V311, packet.V5} {
		x := newBencher(t)
		x.connect(v, sub(1, "site/4711/temperature", 0))
		p := x.connect(v)
		const batch = 64
		in := publishes(v, 0, batch)
		turn := func() {
			x.turn.Begin()
			x.input(p, in)
			x.wake()
			x.turn.End()
		}
		turn()
		if n := testing.AllocsPerRun(50, turn) / batch; n > 1.2 { // the ring of the queue is shared by the batch
			t.Errorf("%s: %.2f allocations for each message, want 1", v, n)
		}
	}
}

func TestWhatNobodyWantsIsNotBuilt(t *testing.T) {
	x := newBencher(t)
	p := x.connect(packet.V5)
	in := bytes.Repeat(publishes(packet.V5, 0, 1), 10)
	if n := testing.AllocsPerRun(50, func() {
		x.turn.Begin()
		x.input(p, in)
		x.turn.End()
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// benchRewrite publishes in turn to topics, a batch of 32 at a time.
func benchRewrite(b *testing.B, rules []Rewrite, topics ...string) {
	x := newBencherWith(b, &Config{Rewrite: rules})
	x.connect(packet.V5, sub(1, "#", 0))
	p := x.connect(packet.V5)
	const batch = 32
	var in []byte
	for i := range batch {
		in = pub(topics[i%len(topics)], strings.Repeat("x", 64), 0, 0).AppendTo(in, packet.V5)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += batch {
		x.turn.Begin()
		x.input(p, in)
		if x.wake() == 0 {
			b.Fatal("nothing was delivered")
		}
		x.turn.End()
	}
}

func BenchmarkPublishWithoutRewriting(b *testing.B) {
	benchRewrite(b, nil, "from/19/4711/temperature")
}

func BenchmarkPublishWith20RulesOneTopic(b *testing.B) {
	benchRewrite(b, twentyRules(), "from/19/4711/temperature")
}

func BenchmarkPublishWithoutRewritingTwoTopics(b *testing.B) {
	benchRewrite(b, nil, "from/19/4711/temperature", "from/19/4711/humidity")
}

func BenchmarkPublishWith20RulesTwoTopics(b *testing.B) {
	benchRewrite(b, twentyRules(), "from/19/4711/temperature", "from/19/4711/humidity")
}

func BenchmarkPublishWith20RulesThatDoNotApply(b *testing.B) {
	benchRewrite(b, twentyRules(), "site/4711/temperature", "site/4711/humidity")
}
