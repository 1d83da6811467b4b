package coap

import (
	"testing"

	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

func TestCoAP_Section8_EveryReasonHasAResponse(t *testing.T) {
	t.Parallel()
	want := map[core.Reason]message.Code{
		core.OK: message.Changed, core.NoReceiver: message.Changed, core.NotAuthenticated: message.Unauthorized,
		core.NotAuthorized: message.Forbidden, core.BadTopic: message.BadRequest, core.BadFilter: message.BadRequest,
		core.NotFound: message.NotFound, core.Precondition: message.PreconditionFailed, core.TooLarge: message.RequestEntityTooLarge,
		core.RateExceeded: message.TooManyRequests, core.Quota: message.ServiceUnavailable, core.QueueFull: message.ServiceUnavailable,
		core.Unavailable: message.ServiceUnavailable, core.Busy: message.ServiceUnavailable, core.Internal: message.InternalServerError,
		core.Kicked: message.Forbidden, core.ShuttingDown: message.ServiceUnavailable, core.Moved: message.ServiceUnavailable,
	}
	for _, r := range core.Reasons() {
		c := codeOf(r)
		if w, listed := want[r]; listed && c != w {
			t.Errorf("%v: %v, want %v", r, c, w)
		}
		if c == message.InternalServerError && r != core.Internal {
			t.Errorf("%v has no code of its own", r)
		}
		if r.Err() != nil && c.Class() < 4 {
			t.Errorf("%v is a success", r)
		}
		var resp response
		resp.failWith(r, &Config{MaxBody: 5})
		needsAge := c == message.ServiceUnavailable || c == message.TooManyRequests
		if resp.has(hasMaxAge) != needsAge || resp.has(hasSize1) != (c == message.RequestEntityTooLarge) {
			t.Errorf("%v: %+v", r, resp)
		}
		if r == core.Internal && len(resp.payload) > 0 {
			t.Error("a defect is described")
		}
	}
}

func TestCoAP_O10_FinalNotificationForEachEnd(t *testing.T) {
	t.Parallel()
	for r, want := range map[core.Reason]message.Code{
		core.Kicked: message.Forbidden, core.NotAuthorized: message.Forbidden, core.ShuttingDown: message.ServiceUnavailable,
		core.QueueDeleted: message.NotFound, core.Moved: message.ServiceUnavailable, core.TakenOver: message.Forbidden,
	} {
		if got := endOf(r); got != want {
			t.Errorf("%v: %v, want %v", r, got, want)
		}
	}
}
