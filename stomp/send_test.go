package stomp

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

func TestSTOMP_ST37_SENDNeedsADestinationAndSetsNoMessageID(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		p.say("SEND", "receipt:7", "", "x")
		if f := p.errorFrame("Missing destination"); f.header["receipt-id"] != "7" {
			t.Errorf("%v", f)
		}
		p = w.connect("1.2")
		p.say("SEND", "destination:/topic/a", "message-id:1", "", "x")
		if f := p.errorFrame("Invalid header"); f.body != "'message-id' is not allowed on 'SEND'.\n" {
			t.Errorf("%q", f.body)
		}
	})
}

func TestSTOMP_ST37_ST47_UserHeadersArriveUnchangedAndInOrder(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		sub, pub := w.connect("1.2"), w.connect("1.2")
		sub.say("SUBSCRIBE", "id:1", "destination:/topic/a")
		pub.say("SEND", "destination:/topic/a", "zeta:1", `alpha:a\nb\cc\\d\re`, "x-y:", "zeta:2", "id:hidden", "ack:hidden",
			"redelivered:hidden", "subscription:hidden", "content-type:text/plain", "content-length:2", "", "hi")
		m := sub.bodies("hi")[0]
		const order = "subscription destination message-id redelivered zeta alpha x-y content-type content-length"
		if m.order != order {
			t.Errorf("order %q", m.order)
		}
		if m.header["alpha"] != "a\nb:c\\d\re" || m.header["zeta"] != "1" || m.header["redelivered"] != "false" {
			t.Errorf("%v", m)
		}
	})
}

func TestSTOMP_ST3_ST11_HeadersAreWrittenInTheReceiversVersion(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p10, p11, p12 := w.connect("1.0"), w.connect("1.1"), w.connect("1.2")
		for _, p := range []*peer{p10, p11, p12} {
			p.say("SUBSCRIBE", "id:1", "destination:/topic/a")
		}
		w.connect("1.2").say("SEND", "destination:/topic/a", `k:a\r\nb\cc`, "", "x")
		for p, want := range map[*peer]string{p10: "", p11: "", p12: "a\r\nb:c"} {
			if m := p.bodies("x")[0]; m.header["k"] != want {
				t.Errorf("%q, want %q", m.header["k"], want)
			}
		}
		// SECURITY E12: what a version cannot say is lost and counted, not altered.
		if n := w.room.count.metrics.Counter("mapping_dropped_total", Name, Name, "header").Load(); n != 2 {
			t.Errorf("%d losses are counted", n)
		}
	})
}

func TestSTOMP_ST36_ST38_RefusedSENDsEndWithAccessRefused(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		for _, dest := range []string{"/topic/secret.x", "/topic/$SYS/x"} {
			p := w.connect("1.2")
			p.say("SEND", "destination:"+dest, "receipt:1", "", "x")
			f := p.errorFrame("access_refused")
			if !strings.HasPrefix(f.body, "ACCESS_REFUSED") || f.header["receipt-id"] != "1" {
				t.Errorf("%v", f)
			}
		}
		p := w.connect("1.2")
		p.say("SEND", "destination:/exchange/nope/k", "", "x")
		if f := p.errorFrame("not_found"); !strings.HasPrefix(f.body, "NOT_FOUND") {
			t.Errorf("%v", f)
		}
	})
}

func TestSTOMP_ST10_ADestinationMustBeUTF8(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		p.say("SEND", "destination:/topic/\xff", "", "x")
		p.errorFrame("Invalid destination")
	})
}

func TestSTOMP_ST58_AReceiptFollowsTheStoresAcknowledgement(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		p.say("SEND", "destination:/queue/q", "receipt:0", "", "x")
		p.receipts("0")
		w.store.mu.Lock() // the store is slow
		p.say("SEND", "destination:/queue/q", "receipt:1", "", "x")
		p.say("SEND", "destination:/topic/nobody", "receipt:2", "", "x") // matches nobody: still behind the first
		p.call(func() { p.conn.Wake(p.turn, &p.out) })
		if len(p.got) != 0 {
			t.Fatalf("answered before the store did: %v", p.got)
		}
		w.store.mu.Unlock()
		p.receipts("1", "2")
	})
}

func TestSTOMP_ST58_AStoreThatFailsIsAnErrorAndNotAReceipt(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		p.say("SEND", "destination:/queue/q", "receipt:0", "", "x")
		p.receipts("0")
		w.store.mu.Lock()
		w.store.fail = errors.New("disk full")
		w.store.mu.Unlock()
		p.say("SEND", "destination:/queue/q", "receipt:1", "", "x")
		if f := p.errorFrame("resource_error"); f.header["receipt-id"] != "1" || !strings.HasPrefix(f.body, "RESOURCE_ERROR") {
			t.Errorf("%v", f)
		}
	})
}

func TestSTOMP_ST59_ReceiptsComeInOrderAndEverythingBeforeACloseArrives(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		var ids []string
		var all strings.Builder
		for i := range 50 {
			ids = append(ids, fmt.Sprint(i))
			fmt.Fprintf(&all, "SEND\ndestination:/queue/q\nreceipt:%d\n\nx\x00", i)
		}
		p.write(all.String())
		p.receipts(ids...)
		p.write(strings.Repeat("SEND\ndestination:/queue/q\n\nx\x00", 10_000))
		p.gone()
		w.settle()
		q := w.connect("1.2")
		q.say("SUBSCRIBE", "id:1", "destination:/queue/q")
		if n := len(q.frames()); n != 10_050 {
			t.Errorf("%d messages", n)
		}
	})
}

func TestSTOMP_ST62_ASlowStoreStopsTheSenderAndNotItsConnection(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2", "heart-beat:1000,1000")
		p.say("SEND", "destination:/queue/q", "receipt:0", "", "x")
		p.receipts("0")
		w.store.mu.Lock()
		var ids []string
		for i := range maxOwed + 10 {
			ids = append(ids, fmt.Sprint(i))
			p.say("SEND", "destination:/queue/q", "receipt:"+fmt.Sprint(i), "", "x")
		}
		if !p.paused || len(p.kept) == 0 {
			t.Fatalf("paused %v, %d octets kept", p.paused, len(p.kept))
		}
		p.raw = nil
		for range 10 { // no synctest.Wait here: the store's goroutine holds on to its lock
			p.call(func() { p.turn.Now = p.turn.Now.After(5 * time.Second); p.conn.Tick(p.turn, &p.out) })
		}
		if p.closed || len(p.raw) == 0 {
			t.Errorf("closed %v, %d heart-beats", p.closed, len(p.raw))
		}
		w.store.mu.Unlock()
		p.receipts(ids...)
	})
}

func TestSTOMP_ST42_EachSubscriptionGetsItsOwnCopy(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		p.say("SUBSCRIBE", "id:1", "destination:/topic/a.b")
		p.say("SUBSCRIBE", "id:2", "destination:/topic/a/+")
		p.say("SEND", "destination:/topic/a/b", "", "x")
		got := map[string]string{}
		for _, m := range p.bodies("x", "x") {
			got[m.header["subscription"]] = m.header["destination"]
		}
		if got["1"] != "/topic/a.b" || got["2"] != "/topic/a/b" { // ST35, ST64
			t.Errorf("%v", got)
		}
	})
}

func TestSTOMP_ExpiryInBothDialects(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		w.pass(700 * 24 * time.Hour) // the bubble begins in 2000, when instants were below 10^12
		now := int64(w.router.Clock().Now())
		p.say("SEND", "destination:/queue/q", "expiration:2000", "", "a")
		p.say("SEND", "destination:/queue/q", "expires:2000", "", "b")
		p.say("SEND", "destination:/queue/q", fmt.Sprintf("expires:%d", now+2000), "", "c")
		p.say("SEND", "destination:/queue/q", "expires:0", "", "d")
		p.say("SEND", "destination:/queue/q", "expiration:500", "", "gone")
		w.pass(time.Second)
		p.say("SUBSCRIBE", "id:1", "destination:/queue/q")
		for _, m := range p.bodies("a", "b", "c", "d") {
			if m.body != "d" && (m.header["expiration"] != "1000" || m.header["expires"] != fmt.Sprint(now+2000)) {
				t.Errorf("%v", m)
			}
		}
		p.say("SEND", "destination:/queue/q", "expiration:soon", "", "x")
		p.errorFrame("Invalid header")
	})
}

func TestSTOMP_ST43_RetainedMessagesComeFirstAndAreCleared(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		p.say("SEND", "destination:/topic/r/1", "retain:true", "receipt:1", "", "kept")
		p.receipts("1")
		p.say("SUBSCRIBE", "id:1", "destination:/topic/r/+")
		if m := p.bodies("kept")[0]; m.header["retained"] != "true" {
			t.Errorf("%v", m)
		}
		p.say("SUBSCRIBE", "id:2", "destination:/topic/r/#", "x-retain-handling:2")
		p.none()
		p.say("SEND", "destination:/topic/r/1", "retain:true", "receipt:2", "")
		for _, m := range p.frames() {
			if m.header["retained"] != "" {
				t.Errorf("live message is marked: %v", m)
			}
		}
		p.say("SUBSCRIBE", "id:3", "destination:/topic/r/1")
		p.none()
	})
}

func TestSTOMP_ST31_RepliesComeToAPrivateQueueWithoutASubscribe(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		client, server := w.connect("1.2"), w.connect("1.1")
		server.say("SUBSCRIBE", "id:s", "destination:/queue/rpc")
		client.say("SEND", "destination:/queue/rpc", "reply-to:/temp-queue/answers", "correlation-id:7", "", "ping")
		m := server.bodies("ping")[0]
		if !strings.HasPrefix(m.header["reply-to"], "/reply-queue/") || m.header["correlation-id"] != "7" {
			t.Fatalf("%v", m)
		}
		server.say("SEND", "destination:"+m.header["reply-to"], "correlation-id:7", "", "pong")
		r := client.bodies("pong")[0]
		if r.header["subscription"] != "/temp-queue/answers" || r.header["correlation-id"] != "7" {
			t.Errorf("%v", r)
		}
		client.gone()
		w.settle()
		server.say("SEND", "destination:"+m.header["reply-to"], "", "late")
		server.errorFrame("not_found")
	})
}

func TestSTOMP_ST31_OtherReplyTosPassUnchanged(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		p.say("SUBSCRIBE", "id:1", "destination:/topic/a")
		for _, to := range []string{"/topic/a.b.c", "/topic/a/b", "/queue/x%2Fy", "anything", "jms.queue.x", "/exchange/e/k"} {
			p.say("SEND", "destination:/topic/a", "reply-to:"+to, "", to)
			if m := p.bodies(to)[0]; m.header["reply-to"] != to {
				t.Errorf("%s came as %s", to, m.header["reply-to"])
			}
		}
	})
}

func TestSTOMP_ST73_ALargeBodyArrivesInPieces(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		sub, pub := w.connect("1.2"), w.connect("1.2")
		sub.parse.Limits.Body = 32 << 20
		sub.say("SUBSCRIBE", "id:1", "destination:/topic/a")
		body := strings.Repeat("0123456789abcdef", 1<<20)
		all := fmt.Sprintf("SEND\ndestination:/topic/a\ncontent-length:%d\n\n%s\x00", len(body), body)
		for len(all) > 0 {
			n := min(len(all), 100_000)
			pub.write(all[:n])
			all = all[n:]
		}
		if m := sub.frames(); len(m) != 1 || m[0].body != body {
			t.Errorf("%d frames", len(m))
		}
		pub.write(fmt.Sprintf("SEND\ndestination:/topic/a\ncontent-length:%d\n\n", len(body)+1))
		pub.errorFrame("Invalid frame")
		if pub.reason != core.TooLarge {
			t.Errorf("%v", pub.reason)
		}
	})
}
