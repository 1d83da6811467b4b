package mqttsn

import (
	"bytes"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/entrepot/entrepot/core"
)

// watcher is another client of the core, of no protocol: it sees what the
// room publishes, and publishes itself.
type watcher struct {
	s       *sim
	session *core.Session
	got     []*core.Message
}

func (w *watcher) Ready(*core.Turn)                            {}
func (w *watcher) Evict(core.Reason)                           {}
func (s *sim) watch(filter string) *watcher                    { return s.watchAs(filter, nil) }
func (w *watcher) publish(topic, payload string)               { w.send(topic, payload, 1, false) }
func (w *watcher) publishQoS(topic, payload string, qos uint8) { w.send(topic, payload, qos, false) }
func (w *watcher) retain(topic, payload string)                { w.send(topic, payload, 1, true) }

func (s *sim) watchAs(filter string, p *core.Principal) *watcher {
	s.Helper()
	w := &watcher{s: s}
	s.do(func() {
		var r core.Reason
		if w.session, r = s.router.Attach(s.turn, core.Client{Principal: p}, w); r != core.OK {
			s.Fatal(r)
		}
		if filter != "" {
			w.session.Subscribe(s.turn, []core.Subscription{{Filter: filter, QoS: 2, RetainAsPublished: true}}, nil)
		}
	})
	return w
}

func (w *watcher) send(topic, payload string, qos uint8, retain bool) {
	w.s.Helper()
	w.s.do(func() {
		mt, r := w.session.Route(w.s.turn, []byte(topic))
		if r != core.OK {
			w.s.Fatal(r)
		}
		m := core.NewMessage([]byte(payload))
		m.Topic, m.QoS, m.Retain, m.Origin = topic, qos, retain, "test"
		w.session.Publish(w.s.turn, mt, m)
	})
}

// want compares the messages that came since the last look, as
// "topic=payload", with "!" behind retained ones and the QoS.
func (w *watcher) want(messages ...string) {
	w.s.Helper()
	var have []string
	take := func() {
		for c := w.session.NextReady(); c != nil; c = w.session.NextReady() {
			for _, d := range c.Take(w.s.turn, make([]core.Delivery, 0, 1000), 1000) {
				text := d.Message.Topic + "=" + string(d.Message.Payload)
				if d.Message.Retain {
					text += "!"
				}
				if d.QoS > 0 {
					text += " q" + string('0'+d.QoS)
				}
				have = append(have, text)
				w.got = append(w.got, d.Message)
				c.Settle(w.s.turn, d.Seq, core.Accepted)
			}
		}
	}
	w.s.do(take)
	w.s.do(take) // what waited for the store
	if !slices.Equal(have, messages) {
		w.s.Fatalf("published %q, want %q", have, messages)
	}
}

// count reads a counter.
func (s *sim) count(name string, labels ...string) uint64 {
	return s.host.Metrics.Counter(name, labels...).Load()
}

func (s *sim) wantCount(n uint64, name string, labels ...string) {
	s.Helper()
	if got := s.count(name, labels...); got != n {
		s.Fatalf("%s%v is %d, want %d", name, labels, got, n)
	}
}

// mapStore is a store in memory.
type mapStore struct {
	mu     sync.Mutex
	m      map[string][]byte
	writes int
}

func (s *mapStore) Write(batches []*core.Batch, _ bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	for _, b := range batches {
		for kind, r := range b.All() {
			switch kind {
			case core.OpSet:
				s.m[string(r.Key)] = bytes.Clone(r.Value)
			case core.OpDelete:
				delete(s.m, string(r.Key))
			case core.OpDeleteRange:
				maps.DeleteFunc(s.m, func(k string, _ []byte) bool { return k >= string(r.Key) && k < string(r.Value) })
			}
		}
	}
	return nil
}

func (s *mapStore) Get(key []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.m[string(key)]), nil
}

func (s *mapStore) Scan(from, to []byte) iter.Seq2[core.Record, error] {
	s.mu.Lock()
	all := maps.Clone(s.m)
	s.mu.Unlock()
	return func(yield func(core.Record, error) bool) {
		for _, k := range slices.Sorted(maps.Keys(all)) {
			if k >= string(from) && k < string(to) && !yield(core.Record{Key: []byte(k), Value: all[k]}, nil) {
				return
			}
		}
	}
}

func (s *mapStore) Close() error { return nil }
