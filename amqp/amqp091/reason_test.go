package amqp091

import (
	"testing"

	"github.com/entrepot/entrepot/core"
)

func TestEveryReasonHasAReplyCode(t *testing.T) {
	t.Parallel()
	for _, r := range core.Reasons() {
		c, ok := replyCodes[r]
		if !ok || c.String() == "" || c.String()[0] < 'A' {
			t.Errorf("%s: %d %s", r, c, c)
		}
	}
}

func TestConfigDefaultsAndRanges(t *testing.T) {
	t.Parallel()
	if err := (&Config{}).Validate(); err != nil {
		t.Error("the zero value:", err)
	}
	full := Config{}.withDefaults(1)
	if err := full.Validate(); err != nil {
		t.Error("the defaults:", err)
	}
	for name, c := range map[string]Config{
		"amqp.frame_max: 4095 is not between 4096 and 16777216":                {FrameMax: 4095},
		"amqp.channel_max: 65536 is not between 1 and 65535":                   {ChannelMax: 65536},
		`amqp.compat: "plain" is neither lossless nor rabbitmq`:                {Compat: "plain"},
		`amqp.mechanisms: "GSSAPI" is none of ["PLAIN" "AMQPLAIN" "EXTERNAL"]`: {Mechanisms: []string{"PLAIN", "GSSAPI"}},
		"amqp.max_tx: -1 is not between 1 and 1073741824":                      {MaxTx: -1},
		"amqp.heartbeat: 5 is not between 1000000000 and 65535000000000":       {Heartbeat: 5},
	} {
		if err := c.Validate(); err == nil || err.Error() != name {
			t.Errorf("%v, want %s", err, name)
		}
	}
}
