package adapters

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entrepot/entrepot/core"
)

// methods is an authenticator whose one method is a function.
type methods func(ctx context.Context, data []byte) Answer

func (methods) Authenticate(context.Context, Credentials) (*core.Principal, core.Reason) {
	return nil, core.NotAuthenticated
}
func (methods) Methods(c Credentials) []string {
	if c.Listener == "narrow" {
		return nil
	}
	return []string{"M"}
}
func (m methods) Begin(string, Credentials) Conversation       { return m }
func (m methods) Step(ctx context.Context, data []byte) Answer { return m(ctx, data) }

// woken counts the wake-ups of a connection.
type woken struct{ n chan struct{} }

func (w woken) Ready(*core.Turn) { w.n <- struct{}{} }
func (woken) Evict(core.Reason)  {}

func exchanging(t *testing.T, m methods, f func(t *testing.T, h *Host, w woken)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f(t, &Host{Auth: m, Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics()}, woken{make(chan struct{}, 100)})
	})
}

// answer waits for the end of a step.
func answer(t *testing.T, x *Exchange, w woken) Answer {
	t.Helper()
	<-w.n
	a, done := x.Result()
	if !done || x.Running() {
		t.Fatal("woken without a result")
	}
	if _, again := x.Result(); again {
		t.Error("a result comes twice")
	}
	return a
}

func TestExchangeGoesStepByStepOffTheLoop(t *testing.T) {
	var heard []string
	m := func(_ context.Context, data []byte) Answer {
		if data == nil {
			heard = append(heard, "nothing")
			return Answer{}
		}
		heard = append(heard, string(data))
		if string(data) == "last" {
			return Answer{Principal: &core.Principal{User: "u"}, Data: []byte("proof")}
		}
		return Answer{Data: []byte("more")}
	}
	exchanging(t, m, func(t *testing.T, h *Host, w woken) {
		if x := h.Exchange("N", Credentials{}, nil, w); x != nil {
			t.Error("a method that is not offered")
		}
		if x := h.Exchange("M", Credentials{Listener: "narrow"}, nil, w); x != nil || len(h.Methods(Credentials{})) != 1 {
			t.Error("U3: a method that this listener does not offer")
		}
		x := h.Exchange("M", Credentials{}, nil, w)
		if !x.Running() {
			t.Error("the first step is not under way")
		}
		if a := answer(t, x, w); a.Data != nil || a.Reason != core.OK {
			t.Errorf("%v", a)
		}
		buf := []byte("mine")
		x.Step(buf)
		copy(buf, "gone")
		if a := answer(t, x, w); string(a.Data) != "more" {
			t.Errorf("%v", a)
		}
		x.Step([]byte("last"))
		if a := answer(t, x, w); a.Principal == nil || string(a.Data) != "proof" {
			t.Errorf("%v", a)
		}
		if x.ctx.Err() == nil {
			t.Error("the end does not give the timer back")
		}
		if s := strings.Join(heard, " "); s != "nothing mine last" {
			t.Error(s)
		}
	})
}

func TestExchangeOfNobodyOffersNothing(t *testing.T) {
	t.Parallel()
	h := &Host{}
	if h.Methods(Credentials{}) != nil || h.Exchange("M", Credentials{}, nil, woken{}) != nil {
		t.Error("a method without an authenticator")
	}
}

func TestExchangeIsBounded(t *testing.T) {
	asked := 0
	m := func(context.Context, []byte) Answer { asked++; return Answer{Data: []byte("more")} }
	exchanging(t, m, func(t *testing.T, h *Host, w woken) {
		x := h.Exchange("M", Credentials{}, nil, w)
		rounds := 1
		for ; answer(t, x, w).Reason == core.OK; rounds++ {
			x.Step(nil)
		}
		if rounds != maxRounds+1 || asked != maxRounds {
			t.Errorf("%d rounds, %d steps", rounds, asked)
		}
		x = h.Exchange("M", Credentials{}, make([]byte, 2*1024+8192+3), w)
		if a := answer(t, x, w); a.Reason != core.NotAuthenticated || asked != maxRounds {
			t.Errorf("too much: %v", a)
		}
	})
}

func TestExchangeThatTakesTooLongIsRefused(t *testing.T) {
	m := func(ctx context.Context, _ []byte) Answer {
		<-ctx.Done()
		return Answer{Principal: &core.Principal{}}
	}
	exchanging(t, m, func(t *testing.T, h *Host, w woken) {
		start := time.Now()
		x := h.Exchange("M", Credentials{}, nil, w)
		if a := answer(t, x, w); a.Reason != core.IdleTimeout || a.Principal != nil || time.Since(start) != 5*time.Second {
			t.Errorf("%v after %v", a, time.Since(start))
		}
		x = h.Exchange("M", Credentials{}, nil, w)
		x.End() // the connection is gone: the bubble ends only when the step has
	})
}

func TestExchange_U1_AnotherUserNameRefuses(t *testing.T) {
	m := func(context.Context, []byte) Answer { return Answer{Principal: &core.Principal{User: "u"}} }
	exchanging(t, m, func(t *testing.T, h *Host, w woken) {
		for user, want := range map[string]core.Reason{"": core.OK, "u": core.OK, "v": core.NotAuthenticated} {
			a := answer(t, h.Exchange("M", Credentials{User: user, HasUser: true}, nil, w), w)
			if a.Reason != want || (a.Principal == nil) != (want != core.OK) {
				t.Errorf("%q: %v", user, a)
			}
		}
	})
}

func TestExchange_S7_APanicRefusesThisLoginAlone(t *testing.T) {
	m := func(context.Context, []byte) Answer { panic("at the disco") }
	exchanging(t, m, func(t *testing.T, h *Host, w woken) {
		a := answer(t, h.Exchange("M", Credentials{Protocol: "p"}, nil, w), w)
		if a.Reason != core.Internal || h.Metrics.Counter("panics_recovered_total", "p").Load() != 1 {
			t.Errorf("%v", a)
		}
	})
}
