package stomp

import (
	"strings"
	"testing"
)

func TestTheDefaultConfigurationIsValidAndEqualsTheZeroOne(t *testing.T) {
	t.Parallel()
	d := DefaultConfig()
	if err := d.Validate(); err != nil {
		t.Error(err)
	}
	if err := new(Config).Validate(); err != nil {
		t.Error(err)
	}
	z := Config{}.withDefaults()
	if z.MaxBody != d.MaxBody || z.MaxUnacked != d.MaxUnacked || z.Prefetch != d.Prefetch || z.LoginTimeout != d.LoginTimeout {
		t.Errorf("%+v", z)
	}
}

func TestValidateNamesTheKey(t *testing.T) {
	t.Parallel()
	for key, c := range map[string]Config{
		"stomp.max_body": {MaxBody: -1}, "stomp.idle_timeout": {IdleTimeout: -1}, "stomp.topic_style": {TopicStyle: "colon"},
		"stomp.unknown_prefix": {UnknownPrefix: "x"}, "stomp.ack_scope": {AckScope: "x"}, "stomp.max_transaction_frames": {MaxTransactionFrames: -1},
	} {
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), key+": ") {
			t.Errorf("%s: %v", key, err)
		}
	}
}
