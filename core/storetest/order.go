package storetest

import (
	"testing"

	"github.com/entrepot/entrepot/core"
)

type nobody struct{}

func (nobody) Ready(*core.Turn)  {}
func (nobody) Evict(core.Reason) {}

// life is a router on a store from its opening to its closing.
type life struct {
	t     *testing.T
	store core.Store
	r     *core.Router
	turn  *core.Turn
}

func begin(t *testing.T, open func() core.Store) *life {
	t.Helper()
	l := &life{t: t, store: open()}
	var err error
	if l.r, err = core.New(core.Options{Store: l.store}); err != nil {
		t.Fatal(err)
	}
	l.turn = l.r.NewTurn(nil)
	return l
}

func (l *life) attach(t *core.Turn, c core.Client) *core.Session {
	l.t.Helper()
	s, reason := l.r.Attach(t, c, nobody{})
	if reason != core.OK {
		l.t.Fatal(reason)
	}
	return s
}

// end writes what was submitted and closes the store.
func (l *life) end() {
	l.turn.End()
	l.r.Close()
	if err := l.store.Close(); err != nil {
		l.t.Error(err)
	}
}

func publish(t *core.Turn, s *core.Session, topic, payload string) {
	mt, _ := s.Route(t, []byte(topic))
	m := core.NewMessage([]byte(payload))
	m.Topic, m.QoS, m.Retain = mt.Topic(), 1, true
	s.Publish(t, mt, m)
}

// theLaterWriteWins checks that a restart finds what memory had, when two turns
// wrote one thing and were submitted in the other order.
func theLaterWriteWins(t *testing.T, open func() core.Store) {
	l := begin(t, open)
	late, client := l.r.NewTurn(nil), core.Client{ID: "a", Expiry: core.Forever}
	a, b := l.attach(late, client), l.attach(l.turn, core.Client{})
	publish(late, a, "replaced", "old")
	publish(late, a, "cleared", "old")
	a.Declare(late, core.QueueSpec{Name: "deleted", Durable: true})
	a.Detach(late, core.ConnectionLost)
	publish(l.turn, b, "replaced", "new")
	publish(l.turn, b, "cleared", "")
	b.Delete(l.turn, "deleted", false, false)
	client.Clean = true
	l.attach(l.turn, client)
	l.turn.End()
	late.End()
	l.end()

	l = begin(t, open)
	defer l.end()
	s := l.attach(l.turn, core.Client{})
	if m, reason := s.Retained(l.turn, "replaced"); reason != core.OK || string(m.Payload) != "new" {
		t.Errorf("the retained message that was replaced: %v", reason)
	}
	if _, reason := s.Retained(l.turn, "cleared"); reason != core.NotFound {
		t.Errorf("the retained message that was cleared: %v", reason)
	}
	if _, reason := s.Inspect("deleted"); reason != core.NotFound {
		t.Errorf("the queue that was deleted: %v", reason)
	}
	if n := l.r.Stats(); n.Orphans != 0 || n.Namespaces[0].Offline != 1 {
		t.Errorf("%d orphans, %d sessions", n.Orphans, n.Namespaces[0].Offline)
	}
}
