package script

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/dial"
)

// patience bounds each wait for something that must come.
const patience = 10 * time.Second

// Ability is what a client can say as a publisher, or show as a receiver.
type Ability struct {
	dial.Ability
	Topic     bool // of a received message
	QoS       bool // of a received message
	RetainBit bool // of a received message
	TextOnly  bool // only UTF-8 without NUL passes through the client
}

// A Peer is a client of one protocol.
type Peer interface {
	// Protocol as the gateway names it.
	Protocol() string
	// Says is what its publishers can say, Shows what its receivers can show.
	Says() Ability
	Shows() Ability
	Publish(ctx context.Context, m dial.Message) error
	Subscribe(ctx context.Context, filter string, qos int) (Receiver, error)
}

// A Receiver is one subscription of its own connection.
type Receiver interface {
	// Next waits for the next message. A client that prints payloads without anything between them reads as much as want has.
	Next(ctx context.Context, want []byte) (dial.Message, error)
	Close()
}

// Pair is what a script runs with.
type Pair struct {
	In, Out Peer
	// Count reads a counter of the gateway: the sum of all lines of the metric whose labels are among those given.
	Count func(metric string, labels map[string]string) float64
}

// run is one script with one pair.
type run struct {
	t *testing.T
	Pair
	prefix    string
	receivers map[string]Receiver
	filters   map[string]string
	dropped   map[string]float64
	sentinels int
	lossy     bool
	lost      float64
}

// Run runs a script.
func Run(t *testing.T, s *Script, p Pair, prefix string) {
	t.Helper()
	r := &run{t: t, Pair: p, prefix: prefix, receivers: map[string]Receiver{}, filters: map[string]string{}, dropped: map[string]float64{}}
	for _, st := range s.Steps {
		if st.Verb == "dropped" {
			r.dropped[st.Reason] = r.drops(st.Reason)
		}
	}
	r.lost = r.losses()
	defer func() {
		for _, rc := range r.receivers {
			rc.Close()
		}
	}()
	for _, st := range s.Steps {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := r.step(ctx, st)
		cancel()
		if err != nil {
			t.Fatalf("%s:%d: %s: %v", s.Name, st.Line, st.Verb, err)
		}
	}
	if r.lossy && r.losses() == r.lost {
		t.Errorf("%s: the receiver cannot show everything, and entrepot_mapping_dropped_total{from=%q,to=%q} did not move",
			s.Name, p.In.Protocol(), p.Out.Protocol())
	}
}

func (r *run) step(ctx context.Context, st Step) error {
	switch st.Verb {
	case "subscribe":
		filter := r.prefix + st.Message.Topic
		rc, err := r.Out.Subscribe(ctx, filter, min(st.Message.QoS, r.Out.Shows().MaxQoS))
		if err != nil {
			return err
		}
		r.receivers[st.Who], r.filters[st.Who] = rc, filter
		return nil
	case "publish":
		return r.In.Publish(ctx, r.said(st.Message))
	case "refuse":
		err := r.In.Publish(ctx, r.said(st.Message))
		if err == nil {
			return errors.New("it was accepted")
		}
		return nil
	case "receive":
		return r.receive(ctx, st)
	case "nothing":
		return r.nothing(ctx, st.Who)
	case "dropped":
		return r.wait(ctx, func() bool { return r.drops(st.Reason) > r.dropped[st.Reason] })
	}
	return fmt.Errorf("no such step")
}

// said leaves out what the publisher cannot say.
func (r *run) said(m dial.Message) dial.Message {
	a := r.In.Says()
	m.Topic = r.prefix + m.Topic
	m.QoS = min(m.QoS, a.MaxQoS)
	m.Retain = m.Retain && a.Retain
	if !a.Headers {
		m.Headers = nil
	}
	if !a.ContentType {
		m.ContentType = ""
	}
	if !a.Expiry {
		m.Expiry = 0
	}
	if !a.ReplyTo {
		m.ReplyTo = ""
	}
	if !a.Correlation {
		m.Correlation = nil
	}
	if m.ReplyTo != "" {
		m.ReplyTo = r.prefix + m.ReplyTo
	}
	return m
}

func (r *run) receive(ctx context.Context, st Step) error {
	got, err := r.receivers[st.Who].Next(ctx, st.Message.Payload)
	if err != nil {
		return fmt.Errorf("want %s %s: %w", st.Message.Topic, brief(st.Message.Payload), err)
	}
	want := r.said(st.Message)
	if !bytes.Equal(got.Payload, want.Payload) {
		return fmt.Errorf("payload is %s, want %s", brief(got.Payload), brief(want.Payload))
	}
	shows := r.Out.Shows()
	if shows.Topic && got.Topic != want.Topic {
		return fmt.Errorf("topic is %q, want %q", got.Topic, want.Topic)
	}
	if qos := min(want.QoS, shows.MaxQoS); st.Fields["qos"] && shows.QoS && got.QoS != qos {
		return fmt.Errorf("QoS is %d, want %d", got.QoS, qos)
	}
	if st.Fields["retain"] && shows.RetainBit && !got.Retain {
		return errors.New("it is not marked as retained")
	}
	return r.metadata(got, want, shows)
}

// metadata compares what both sides can express. What the receiver's protocol cannot carry is to be counted as lost; what
// its client merely does not show is not looked at.
func (r *run) metadata(got, want dial.Message, shows Ability) error {
	carried := dial.Abilities(r.Out.Protocol(), "")
	for _, f := range []struct {
		name, got, want string
		carried, shown  bool
	}{
		{"content type", got.ContentType, want.ContentType, carried.ContentType, shows.ContentType},
		{"reply", got.ReplyTo, want.ReplyTo, carried.ReplyTo, shows.ReplyTo},
		{"correlation", string(got.Correlation), string(want.Correlation), carried.Correlation, shows.Correlation},
	} {
		switch {
		case f.want == "":
		case !f.carried && !f.shown:
			r.lossy = true
		case f.shown && f.got != f.want:
			return fmt.Errorf("%s is %q, want %q", f.name, f.got, f.want)
		}
	}
	if want.Expiry > 0 && shows.Expiry && (got.Expiry <= want.Expiry-patience || got.Expiry > want.Expiry) {
		return fmt.Errorf("expiry is %v, want %v or a little less", got.Expiry, want.Expiry)
	}
	r.lossy = r.lossy || len(want.Headers) > 0 && !carried.Headers && !shows.Headers
	for _, h := range want.Headers {
		if !shows.Headers {
			break
		}
		if v, ok := find(got.Headers, h.Name); !ok || v != h.Value {
			return fmt.Errorf("header %q is %q (there: %v), want %q; all: %v", h.Name, v, ok, h.Value, got.Headers)
		}
	}
	return nil
}

func find(list []dial.Header, name string) (string, bool) {
	for _, h := range list {
		if h.Name == name {
			return h.Value, true
		}
	}
	return "", false
}

// nothing publishes one message more, and that must be the next.
func (r *run) nothing(ctx context.Context, who string) error {
	r.sentinels++
	topic := strings.NewReplacer("+", "sentinel", "#", "sentinel").Replace(r.filters[who])
	payload := fmt.Sprintf("sentinel %d", r.sentinels)
	if err := r.In.Publish(ctx, dial.Message{Topic: topic, Payload: []byte(payload), QoS: 1}); err != nil {
		return err
	}
	got, err := r.receivers[who].Next(ctx, []byte(payload))
	if err != nil {
		return err
	}
	if string(got.Payload) != payload {
		return fmt.Errorf("there is %s %s", got.Topic, brief(got.Payload))
	}
	return nil
}

func (r *run) drops(reason string) float64 {
	return r.Count("entrepot_messages_dropped_total", map[string]string{"protocol": r.Out.Protocol(), "reason": reason})
}

func (r *run) losses() float64 {
	return r.Count("entrepot_mapping_dropped_total", map[string]string{"from": r.In.Protocol(), "to": r.Out.Protocol()})
}

// wait polls a counter, which a loop of the gateway moves.
func (r *run) wait(ctx context.Context, done func() bool) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func brief(p []byte) string {
	if len(p) > 40 {
		return fmt.Sprintf("%q... (%d bytes)", p[:40], len(p))
	}
	return fmt.Sprintf("%q", p)
}
