package core

import (
	"iter"
	"slices"
	"testing"
)

// noStore keeps nothing.
type noStore struct{}

func (noStore) Write([]*Batch, bool) error                { return nil }
func (noStore) Get([]byte) ([]byte, error)                { return nil, nil }
func (noStore) Scan(_, _ []byte) iter.Seq2[Record, error] { return func(func(Record, error) bool) {} }
func (noStore) Close() error                              { return nil }

type noSink struct{}

func (noSink) Ready(*Turn)  {}
func (noSink) Evict(Reason) {}

// A walk costs a subscription more than all the rest, and a session that
// subscribes to a thousand filters has a thousand: none begins where nothing is
// to be found.
func TestNoWalkBeginsWhereNothingIsRetained(t *testing.T) {
	t.Parallel()
	r, err := New(Options{Store: noStore{}, Forget: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	turn := r.NewTurn(nil)
	s, _ := r.Attach(turn, Client{}, noSink{})
	for _, name := range []string{"a/1", "$SYS/x"} {
		mt, _ := s.Route(turn, []byte(name))
		if name == "$SYS/x" {
			r.PublishSystem(turn, "", &Message{Topic: name, Payload: []byte("x"), Retain: true})
			continue
		}
		m := NewMessage([]byte("x"))
		m.Topic, m.Retain = name, true
		s.Publish(turn, mt, m)
	}
	lanes := func(filters ...string) int {
		var subs []Subscription
		for _, f := range filters {
			subs = append(subs, Subscription{Filter: f})
		}
		s.Subscribe(turn, subs, nil)
		if s.st.inbox.side == nil {
			return 0
		}
		return len(s.st.inbox.side.lanes)
	}
	for _, x := range []struct {
		filters []string
		want    int // walks under way
	}{
		{[]string{"b", "b/+", "a/2", "a", "c/#", "+"}, 0},
		{[]string{"a/1"}, 1},
		{[]string{"a/+", "b"}, 2},
		{[]string{"a/1", "a/+", "a/+"}, 5}, // as many as there were subscriptions
		{slices.Repeat([]string{"a/+"}, 100), 2 + mostRepeats},
	} {
		if got := lanes(x.filters...); got != x.want {
			t.Errorf("after %q: %d walks, want %d", x.filters, got, x.want)
		}
	}
}
