package amqp091

import (
	"fmt"
	"slices"
	"time"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core/topic"
)

// allMechanisms are the logins that we know, preferred first.
var allMechanisms = []string{"PLAIN", "AMQPLAIN", "EXTERNAL"}

// Config is the section `amqp` of the configuration. The zero value of a
// field is its documented default.
type Config struct {
	LoginTimeout       time.Duration `yaml:"login_timeout"`         // from accept to open-ok, default 5 s
	ChannelMax         int           `yaml:"channel_max"`           // default 2047
	FrameMax           int           `yaml:"frame_max"`             // octets, default 131072, at least 4096
	FrameMaxBeforeOpen int           `yaml:"frame_max_before_open"` // octets, default 16384
	Heartbeat          time.Duration `yaml:"heartbeat"`             // offered, whole seconds, default 60 s
	MaxMessage         int           `yaml:"max_message"`           // octets of a body, default limits.message_bytes
	MaxConsumers       int           `yaml:"max_consumers"`         // a channel, default 1024
	MaxExchanges       int           `yaml:"max_exchanges"`         // a namespace, default 10,000
	MaxUnconfirmed     int           `yaml:"max_unconfirmed"`       // publishes of a channel, then reading stops; default 65,536
	MaxTx              int           `yaml:"max_tx"`                // actions of a transaction, default 10,000
	ConsumerTimeout    time.Duration `yaml:"consumer_timeout"`      // longest time for an acknowledgement, default 30 min
	Compat             string        `yaml:"compat"`                // lossless (default), rabbitmq: topic codec
	Mechanisms         []string      `yaml:"mechanisms"`            // of logins that are offered; default PLAIN, AMQPLAIN, EXTERNAL
	PlainNeedsTLS      bool          `yaml:"plain_needs_tls"`       // PLAIN and AMQPLAIN are for connections with TLS alone
}

// Validate names the first key that is out of range.
func (c *Config) Validate() error {
	for _, n := range []struct {
		key              string
		value, low, high int64
	}{
		{"login_timeout", int64(c.LoginTimeout), 1, 1 << 62},
		{"channel_max", int64(c.ChannelMax), 1, 65535},
		{"frame_max", int64(c.FrameMax), wire.FrameMinSize, 1 << 24},
		{"frame_max_before_open", int64(c.FrameMaxBeforeOpen), wire.FrameMinSize, 1 << 24},
		{"heartbeat", int64(c.Heartbeat), int64(time.Second), int64(65535 * time.Second)},
		{"max_message", int64(c.MaxMessage), 1, 1 << 40},
		{"max_consumers", int64(c.MaxConsumers), 1, 1 << 30},
		{"max_exchanges", int64(c.MaxExchanges), 1, 1 << 30},
		{"max_unconfirmed", int64(c.MaxUnconfirmed), 1, 1 << 30},
		{"max_tx", int64(c.MaxTx), 1, 1 << 30},
		{"consumer_timeout", int64(c.ConsumerTimeout), 1, 1 << 62},
	} {
		if n.value != 0 && (n.value < n.low || n.value > n.high) {
			return fmt.Errorf("amqp.%s: %d is not between %d and %d", n.key, n.value, n.low, n.high)
		}
	}
	for _, m := range c.Mechanisms {
		if !slices.Contains(allMechanisms, m) {
			return fmt.Errorf("amqp.mechanisms: %q is none of %q", m, allMechanisms)
		}
	}
	if c.Compat != "" && c.Compat != "lossless" && c.Compat != "rabbitmq" {
		return fmt.Errorf("amqp.compat: %q is neither lossless nor rabbitmq", c.Compat)
	}
	return nil
}

// withDefaults fills the zero fields; maxMessage is the house's limit.
func (c Config) withDefaults(maxMessage int) Config {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	dur := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	dur(&c.LoginTimeout, 5*time.Second)
	dur(&c.Heartbeat, 60*time.Second)
	dur(&c.ConsumerTimeout, 30*time.Minute)
	if len(c.Mechanisms) == 0 {
		c.Mechanisms = allMechanisms
	}
	def(&c.ChannelMax, 2047)
	def(&c.FrameMax, 131072)
	def(&c.FrameMaxBeforeOpen, 16384)
	def(&c.MaxMessage, maxMessage)
	def(&c.MaxConsumers, 1024)
	def(&c.MaxExchanges, 10_000)
	def(&c.MaxUnconfirmed, 65_536)
	def(&c.MaxTx, 10_000)
	return c
}

func (c *Config) codec() topic.Codec {
	if c.Compat == "rabbitmq" {
		return topic.RabbitMQ
	}
	return topic.Dotted
}
