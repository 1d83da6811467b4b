package mqtt

import (
	"testing"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// Every neutral reason has a code that its packet may carry.
func TestMQTT_25_EveryReasonHasACodeInEveryPacket(t *testing.T) {
	t.Parallel()
	for _, r := range core.Reasons() {
		row := codesOf(r)
		for name, c := range map[string]struct {
			code packet.Code
			in   packet.Type
		}{
			"CONNACK": {row.connack, packet.CONNACK}, "PUBACK": {row.puback, packet.PUBACK}, "PUBREC": {row.puback, packet.PUBREC},
			"SUBACK": {row.suback, packet.SUBACK}, "UNSUBACK": {unsubackCode(r), packet.UNSUBACK}, "DISCONNECT": {row.disconnect, packet.DISCONNECT},
		} {
			if !c.code.ValidIn(c.in, packet.Server) {
				t.Errorf("%v in %s: %v", r, name, c.code)
			}
			if success := r == core.OK || r == core.NoReceiver; success == c.code.Failed() && !(c.in == packet.UNSUBACK) {
				t.Errorf("%v in %s: %v", r, name, c.code)
			}
		}
		if row.connack3 > packet.NotAuthorized3 {
			t.Errorf("%v in CONNACK of 3.x: %d", r, row.connack3)
		}
	}
}

// The table of section 2.5.
func TestMQTT_25_ReasonsAsTheTableSays(t *testing.T) {
	t.Parallel()
	const none = packet.UnspecifiedError
	for r, want := range map[core.Reason]reasonRow{
		core.NotAuthenticated: {0x86, 4, 0x87, 0x87, 0x87},
		core.NotAuthorized:    {0x87, 5, 0x87, 0x87, 0x87},
		core.Busy:             {0x89, 3, 0x97, 0x97, 0x89},
		core.Unavailable:      {0x88, 3, 0x97, 0x97, 0x89},
		core.Quota:            {0x97, 3, 0x97, 0x97, 0x97},
		core.BadTopic:         {0x90, 0, 0x90, 0x8f, 0x90},
		core.BadFilter:        {0x90, 0, 0x90, 0x8f, 0x90},
		core.BadPayload:       {0x99, 0, 0x99, none, 0x99},
		core.Moved:            {0x9c, 3, none, none, 0x9c},
		core.Internal:         {none, 3, none, none, none},
	} {
		if got := codesOf(r); *got != want {
			t.Errorf("%v: %v, want %v", r, got, want)
		}
	}
	for r, want := range map[core.Reason]packet.Code{
		core.TakenOver: 0x8e, core.Kicked: 0x98, core.ShuttingDown: 0x8b, core.SlowConsumer: 0x97, core.LoginExpired: 0x87,
		core.TooLarge: 0x95, core.Malformed: 0x81, core.ProtocolError: 0x82, core.IdleTimeout: 0x8d,
	} {
		if got := codesOf(r).disconnect; got != want {
			t.Errorf("%v: %x, want %x", r, got, want)
		}
	}
}
