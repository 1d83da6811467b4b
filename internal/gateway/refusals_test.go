package gateway

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/store/memory"
)

// nobody is a connection that hears nothing.
type nobody struct{}

func (nobody) Ready(*core.Turn)  {}
func (nobody) Evict(core.Reason) {}

func TestRefusedInputIsSummedUpInTheLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		m := adapters.NewMetrics()
		router, err := core.New(core.Options{Store: memory.New(), Tenants: map[string]core.Tenant{"plant": {Quota: core.Quotas{Connections: 1}}}})
		if err != nil {
			t.Fatal(err)
		}
		defer router.Close()
		for range 4 {
			_, _ = router.Attach(router.NewTurn(nil), core.Client{Principal: &core.Principal{Namespace: "plant", User: "u"}}, nobody{})
		}
		r := &refusals{metrics: m, router: router, log: slog.New(slog.NewTextHandler(&text, nil)), told: map[refusal]uint64{}}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { r.run(ctx); close(done) }()
		for range 1000 {
			m.ProtocolError("mqtt", "malformed")
		}
		m.Counter("udp_dropped_total", "coap", "length").Add(3)
		m.Counter("connects_total", "mqtt", "accepted", "").Add(1)
		m.Dropped("mqtt", "no_subscriber") // nobody lost anything
		m.Dropped("amqp", "too_large")
		m.Lost("mqtt", "coap", "correlation")
		time.Sleep(refusalsEvery + time.Second)
		m.ProtocolError("mqtt", "malformed")
		stop()
		<-done
		lines := strings.Split(strings.TrimSpace(text.String()), "\n")
		if len(lines) != 6 || !strings.Contains(lines[5], "count=1") {
			t.Fatalf("%q", lines)
		}
		for _, want := range []string{"msg=protocol.error protocol=mqtt reason=malformed count=1000", "msg=udp.dropped protocol=coap reason=length count=3", "msg=limit.refused limit=connections ns=plant count=3",
			"level=WARN msg=message.dropped protocol=amqp reason=too_large count=1", "level=INFO msg=mapping.dropped from=mqtt to=coap field=correlation count=1"} {
			if !strings.Contains(strings.Join(lines[:5], "\n"), want) {
				t.Errorf("%q lacks %q", lines, want)
			}
		}
	})
}
