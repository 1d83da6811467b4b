package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/dial"
)

const (
	topics = "crash/"       // each publisher has a topic below
	queue  = "$queue/tasks" // and sends to this one too
	final  = topics + "final"
)

// publishers are all protocols with every QoS that is acknowledged.
var publishers = []struct {
	scheme string
	qos    int
}{{"mqtt", 1}, {"mqtt", 2}, {"mqttsn", 1}, {"mqttsn", 2}, {"coap", 1}, {"stomp", 1}, {"amqp", 1}}

func rounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("CRASH")
	if text == "" {
		return 4
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("CRASH=%s is no number", text)
	}
	return n
}

// world is what outlives a crash.
type world struct {
	*testing.T
	binary, data string
	gateway      *process

	onTopics, onQueue, retained ledgers
	online                      *pile // of a session that comes back after each crash
}

// TestNothingAcknowledgedIsLostByKill9 runs publishers of every protocol against the binary and kills it, at a random moment,
// round after round. Then a durable session that was away all the time, one that was connected, and a named queue must hold
// what the ledgers say; and so must the retained messages.
func TestNothingAcknowledgedIsLostByKill9(t *testing.T) {
	w := &world{T: t, binary: build(t), data: filepath.Join(t.TempDir(), "data"), onTopics: ledgers{}, onQueue: ledgers{}, retained: ledgers{}, online: newPile()}
	for _, p := range publishers {
		name := fmt.Sprint(p.scheme, p.qos)
		w.onTopics.of(name)
		w.onQueue.of(name)
		w.retained.of(name)
	}
	w.gateway = start(t, w.binary, w.data, unlimited...)
	w.prepare()
	for range rounds(t) {
		w.round(time.Duration(200+rand.IntN(800)) * time.Millisecond)
		whole(t, w.binary, "--data", w.data)
		w.gateway = start(t, w.binary, w.data, unlimited...)
	}
	w.verify()
}

// dial connects; a gateway that was not killed answers.
func (w *world) dial(scheme string, o dial.Options) dial.Conn {
	w.Helper()
	o.Address = w.gateway.at[scheme]
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	c, err := dial.Dial(ctx, o)
	if err != nil {
		w.Fatal(err)
	}
	return c
}

func (w *world) subscribe(c dial.Conn, filter string, qos int) {
	w.Helper()
	if _, err := c.Subscribe(w.Context(), filter, qos); err != nil {
		w.Fatal(filter, err)
	}
}

func (w *world) close(c dial.Conn) {
	w.Helper()
	if err := c.Close(w.Context()); err != nil {
		w.Error(err)
	}
}

// unlimited are queues that hold what many rounds publish: at its limit, one drops its oldest.
var unlimited = []string{"--set", "limits.queue_messages=1000000000", "--set", "limits.queue_bytes=1TiB"}

// prepare makes what must hold the messages.
func (w *world) prepare() {
	for _, id := range []string{"away", "online"} {
		c := w.dial("mqtt", dial.Options{ClientID: id, Session: time.Hour})
		w.subscribe(c, topics+"#", 2)
		w.close(c)
	}
	c := w.dial("mqtt", dial.Options{ClientID: "declares"})
	w.subscribe(c, queue, 1)
	w.close(c)
}

// round publishes by all protocols until the gateway is killed.
func (w *world) round(life time.Duration) {
	ctx, cancel := context.WithTimeout(w.Context(), life+patience)
	defer cancel()
	context.AfterFunc(w.gateway.life, cancel) // clients over UDP would wait for it
	online := w.dial("mqtt", dial.Options{ClientID: "online", Session: time.Hour, OnMessage: func(m dial.Message) { w.online.add(m.Payload, m.Redelivered) }})
	var all sync.WaitGroup
	for _, p := range publishers {
		c := w.dial(p.scheme, dial.Options{})
		name := fmt.Sprint(p.scheme, p.qos)
		all.Go(func() {
			w.publish(ctx, c, name, p.qos)
			_ = c.Close(ctx) // there may be nobody left
		})
	}
	time.AfterFunc(life, w.gateway.kill)
	all.Wait()
	if <-w.gateway.ended; w.gateway.life.Err() == nil {
		w.Error("the publishers gave up")
	}
	<-online.Done()
	_ = online.Close(ctx)
}

// publish sends until the connection ends, and notes what was acknowledged.
func (w *world) publish(ctx context.Context, c dial.Conn, name string, qos int) {
	for i := 0; ; i++ {
		select {
		case <-c.Done():
			return
		case <-ctx.Done():
			return
		default:
		}
		l, m := w.onTopics.of(name), dial.Message{Topic: topics + name, QoS: qos}
		switch i % 8 {
		case 3, 6:
			l, m.Topic = w.onQueue.of(name), queue
		case 7:
			l, m.Topic, m.Retain = w.retained.of(name), "kept/"+name, true
		}
		n := l.next()
		m.Payload = payload(name, n)
		c.Publish(ctx, m, func(err error) {
			if err == nil {
				l.ack(n)
			}
		})
	}
}

// verify drains everything.
func (w *world) verify() {
	away, tasks := newPile(), newPile()
	last := w.dial("mqtt", dial.Options{})
	for _, topic := range []string{final, queue} {
		if err := dial.Send(w.Context(), last, dial.Message{Topic: topic, Payload: []byte(lastWord), QoS: 1}); err != nil {
			w.Fatal(err)
		}
	}
	w.close(last)
	drain := func(what string, p *pile, c dial.Conn) {
		w.Helper()
		select {
		case <-p.ended:
		case <-c.Done():
			w.Errorf("%s: the connection ended: %v", what, c.Err())
		case <-time.After(patience):
			w.Errorf("%s: the last message does not come", what)
		}
		w.close(c)
	}
	add := func(p *pile) func(dial.Message) {
		return func(m dial.Message) { p.add(m.Payload, m.Redelivered) }
	}
	drain("online", w.online, w.dial("mqtt", dial.Options{ClientID: "online", Session: time.Hour, OnMessage: add(w.online)}))
	drain("away", away, w.dial("mqtt", dial.Options{ClientID: "away", Session: time.Hour, OnMessage: add(away)}))
	worker := w.dial("amqp", dial.Options{OnMessage: add(tasks)})
	w.subscribe(worker, queue, 1)
	drain("queue", tasks, worker)

	away.check(w.T, "a session that was away", w.onTopics, true)
	w.online.check(w.T, "a session that was connected", w.onTopics, false)
	tasks.check(w.T, "a named queue", w.onQueue, true)
	w.verifyRetained()
}

// verifyRetained checks that each retained message is the newest that was acknowledged, or a later one.
func (w *world) verifyRetained() {
	kept, mu := map[string]int{}, sync.Mutex{}
	seen := make(chan struct{}, 1)
	c := w.dial("mqtt", dial.Options{OnMessage: func(m dial.Message) {
		mu.Lock()
		defer mu.Unlock()
		if name, n, ok := parse(m.Payload); ok {
			kept[name] = n
		}
		if len(kept) == len(publishers) {
			select {
			case seen <- struct{}{}:
			default:
			}
		}
	}})
	w.subscribe(c, "kept/#", 1)
	select {
	case <-seen:
	case <-time.After(patience):
		w.Error("retained messages are missing")
	}
	w.close(c)
	mu.Lock()
	defer mu.Unlock()
	for name, l := range w.retained {
		newest := l.newest()
		if kept[name] < newest || kept[name] > l.sent {
			w.Errorf("retained: %s has %d, acknowledged were up to %d, sent up to %d", name, kept[name], newest, l.sent)
		}
	}
}
