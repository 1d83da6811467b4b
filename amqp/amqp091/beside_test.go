package amqp091

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// beside is a connection with a consumer, and what was appended for it beside the
// calls of its loop.
type beside struct {
	t    testing.TB
	c    *Conn
	turn *core.Turn
	out  adapters.Output // of a call
	gone adapters.Output // before it
}

// handle is a loop that does nothing.
type handle struct{ deaf }

func (handle) TickAt(core.Time)  {}
func (handle) LoggingIn()        {}
func (handle) Authenticated()    {}
func (handle) Connected()        {}
func (handle) Ended(core.Reason) {}

func newBeside(t testing.TB) *beside {
	t.Helper()
	r, err := core.New(core.Options{Store: nothing{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	l, err := New(&adapters.Host{Router: r, Log: slog.New(slog.DiscardHandler), Metrics: adapters.NewMetrics()}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	e := &beside{t: t, turn: r.NewTurn(nil)}
	e.turn.Begin()
	e.c = l.Open(handle{}, adapters.Info{}, e.turn, &e.out)
	e.input(0, &wire.ConnectionStartOk{Mechanism: "PLAIN", Response: []byte("\x00guest\x00guest"), Locale: "en_US"})
	e.input(0, &wire.ConnectionTuneOk{ChannelMax: 1, FrameMax: 131072}, &wire.ConnectionOpen{VirtualHost: "/"})
	e.input(1, &wire.ChannelOpen{}, &wire.QueueDeclare{Queue: "q"}, &wire.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: true})
	if e.consumer() == nil {
		t.Fatal("no consumer")
	}
	return e
}

func (e *beside) consumer() *consumer { return e.c.channels[1].consumers["c"] }

// input gives the connection methods, and lists what it has written then, in
// short.
func (e *beside) input(channel uint16, ms ...wire.Method) string {
	var in []byte
	for _, m := range ms {
		in = wire.AppendMethodFrame(in, channel, m)
	}
	return e.call(func() {
		if _, err := e.c.Input(e.turn, in, &e.out); err != nil {
			e.t.Fatal(err)
		}
	})
}

func (e *beside) call(f func()) string {
	e.out.Reset()
	e.out.Early(&e.gone)
	f()
	return frames(e.t, e.out.B)
}

// direct offers a delivery, as a loop does.
func (e *beside) direct(body string) bool {
	m := core.NewMessage([]byte(body))
	m.Topic = "a"
	return e.c.Direct(e.turn, &core.Delivery{Message: m, Consumer: e.consumer().core, Seq: 1, Attempt: 1}, &e.gone)
}

// frames lists methods and bodies.
func frames(t testing.TB, b []byte) string {
	var all []string
	for len(b) > 0 {
		f, n, err := wire.Scan(b, 131072)
		if err != nil {
			t.Fatal(err)
		}
		b = b[n:]
		switch f.Type {
		case wire.FrameMethod:
			id, _ := wire.PeekID(f.Payload)
			all = append(all, id.String())
		case wire.FrameBody:
			all = append(all, fmt.Sprintf("%q", f.Payload))
		}
	}
	return strings.Join(all, " ")
}

func TestWhatWentOutAsItCameComesBeforeAnswersAndFarewells(t *testing.T) {
	t.Parallel()
	for want, end := range map[string]func(e *beside) string{
		"basic.cancel-ok":     func(e *beside) string { return e.input(1, &wire.BasicCancel{ConsumerTag: "c"}) },
		"channel.close-ok":    func(e *beside) string { return e.input(1, &wire.ChannelClose{Code: 200}) },
		"channel.close":       func(e *beside) string { return e.input(1, &wire.QueueDeclare{Queue: "none", Passive: true}) },
		"connection.close-ok": func(e *beside) string { return e.input(0, &wire.ConnectionClose{Code: 200}) },
		"connection.close":    func(e *beside) string { return e.call(func() { e.c.Evict(e.turn, core.Kicked, &e.out) }) },
	} {
		e := newBeside(t)
		if !e.direct("early") {
			t.Fatal("refused")
		}
		if got := end(e); got != `basic.deliver "early" `+want {
			t.Errorf("%s", got)
		}
	}
}

func TestWhatWasTakenAndNotWrittenPrecedesWhatComes(t *testing.T) {
	t.Parallel()
	e := newBeside(t)
	m := core.NewMessage([]byte("first"))
	m.Topic = "a"
	cons := e.consumer()
	cons.carry = append(cons.carry, core.Delivery{Message: m, Consumer: cons.core, Seq: 1, Attempt: 1})
	cons.want()
	if e.direct("second") {
		t.Error("taken")
	}
	if got := e.call(func() { e.c.Wake(e.turn, &e.out) }); got != `basic.deliver "first"` {
		t.Errorf("%s", got)
	}
	if !e.direct("second") {
		t.Error("refused")
	}
}

func TestWhoHasEndedGetsNothingAsItComes(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(e *beside, cons *consumer){
		"cancelled":    func(e *beside, _ *consumer) { e.input(1, &wire.BasicCancel{ConsumerTag: "c"}) },
		"closed":       func(e *beside, _ *consumer) { e.input(1, &wire.QueueDeclare{Queue: "none", Passive: true}) },
		"gone":         func(e *beside, _ *consumer) { e.c.Close(e.turn, core.ConnectionLost) },
		"paused":       func(e *beside, _ *consumer) { e.input(1, &wire.ChannelFlow{}) },
		"acknowledges": func(_ *beside, cons *consumer) { cons.noAck = false },
	} {
		e := newBeside(t)
		cons := e.consumer()
		end(e, cons)
		m := core.NewMessage([]byte("late"))
		if e.c.Direct(e.turn, &core.Delivery{Message: m, Consumer: cons.core, Seq: 1, Attempt: 1}, &e.gone) || e.gone.Len() > 0 {
			t.Errorf("%s: taken", name)
		}
	}
}

// A run of 16 messages of 64 octets to one consumer.
func BenchmarkDirectRun(b *testing.B) {
	e := newBeside(b)
	var run core.Run
	run.Begin("a/b", "mqtt")
	for range 16 {
		run.Add(make([]byte, 64), 64)
	}
	d := &core.Delivery{Message: run.At(0), Consumer: e.consumer().core, Attempt: 1}
	b.ReportAllocs()
	for b.Loop() {
		e.gone.Reset()
		if !e.c.DirectRun(e.turn, d, &run, &e.gone) {
			b.Fatal("refused")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*run.Len()), "ns/message")
}
