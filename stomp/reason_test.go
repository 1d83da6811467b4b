package stomp

import (
	"strings"
	"testing"

	"github.com/entrepot/entrepot/core"
)

// The messages of docs/stomp.md, "Errors", and the AMQP names that they stand for.
var known = []string{
	"Bad command", "Illegal command", "Invalid frame", "Version mismatch", "Bad CONNECT", "Missing destination",
	"Unknown destination", "Invalid destination", "Missing header", "Invalid header", "Missing Header",
	"Duplicated subscription identifier", "No subscription found", "Missing destination or id", "Invalid id", "Invalid selector",
	"Message not found", "Bad transaction", "Transaction already open", "access_refused", "not_found", "precondition_failed",
	"resource_locked", "resource_error", "not_implemented", "internal_error",
	"Server cancelled subscription", "Server shutdown", "Idle", "Slow consumer",
}

func TestSTOMP_EveryReasonHasAnERROR(t *testing.T) {
	t.Parallel()
	in := func(m string) bool {
		for _, k := range known {
			if k == m {
				return true
			}
		}
		return false
	}
	for _, r := range core.Reasons() {
		f := fromReason(r, "the thing")
		if !in(f.message) || f.reason != r || !strings.HasSuffix(f.body, "the thing\n") {
			t.Errorf("%v: %+v", r, f)
		}
		if strings.Contains(f.message, "_") && !strings.HasPrefix(f.body, strings.ToUpper(f.message)+" - ") {
			t.Errorf("%v: body %q", r, f.body)
		}
		if m := reasonMessage(r); m == "internal_error" {
			switch r {
			case core.OK, core.NoReceiver, core.Normal, core.ConnectionLost, core.Internal:
			default:
				t.Errorf("%v has no row", r)
			}
		}
	}
	for r, want := range map[core.Reason]string{
		core.NotAuthorized: "access_refused", core.NotFound: "not_found", core.Locked: "resource_locked", core.Quota: "resource_error",
		core.QueueDeleted: "Server cancelled subscription", core.ShuttingDown: "Server shutdown", core.Moved: "Server shutdown",
	} {
		if got := reasonMessage(r); got != want {
			t.Errorf("%v: %q", r, got)
		}
	}
}

func TestSTOMP_ST22_AnERRORHasItsHeadersInOrder(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		p.say("SEND", "destination:/other/x", "receipt:a", "", "x")
		f := p.errorFrame("Unknown destination")
		if f.order != "message content-type version receipt-id content-length" || f.header["version"] != "1.0,1.1,1.2" ||
			f.header["content-type"] != "text/plain" {
			t.Errorf("%v, %q", f, f.order)
		}
		p.write("SEND\ndestination:/topic/a\n\nignored\x00")
		p.none()
	})
}
