package stomp

import (
	"fmt"
	"time"

	"github.com/entrepot/entrepot/stomp/frame"
)

// Config is the section `stomp` of the configuration. The zero value of a
// number or text is its documented default.
type Config struct {
	MaxCommand          int           `yaml:"max_command"`            // octets, default 32
	MaxHeaderLine       int           `yaml:"max_header_line"`        // octets, default 8 KiB
	MaxHeaders          int           `yaml:"max_headers"`            // lines, default 100
	MaxFrameBeforeLogin int           `yaml:"max_frame_before_login"` // octets, default 64 KiB
	MaxBody             int           `yaml:"max_body"`               // octets, default 16 MiB
	LoginTimeout        time.Duration `yaml:"login_timeout"`          // default 5 s
	HeartbeatSend       time.Duration `yaml:"heartbeat_send"`         // sx; 0: as the client wishes, at least 100 ms
	HeartbeatReceive    time.Duration `yaml:"heartbeat_receive"`      // sy; 0: as the client offers, at least 100 ms
	IdleTimeout         time.Duration `yaml:"idle_timeout"`           // of clients without heart-beats; 0: unlimited
	MaxSubscriptions    int           `yaml:"max_subscriptions"`      // a connection, default 1000
	MaxTransactions     int           `yaml:"max_transactions"`       // open at once on a connection, default 16
	MaxTransactionSize  int           `yaml:"max_transaction_frames"` // frames in one, default 1024
	Prefetch            int           `yaml:"prefetch"`               // window of a subscription without a header; 0: max_unacked
	MaxUnacked          int           `yaml:"max_unacked"`            // a connection, default 100,000
	QueueMax            int           `yaml:"queue_max"`              // messages of a transient subscription, default 1000
	QueueMaxBytes       int64         `yaml:"queue_max_bytes"`        // their bytes, default 8 MiB
	TopicStyle          string        `yaml:"topic_style"`            // auto (default), dot, slash
	QueueSlash          bool          `yaml:"queue_slash"`            // allow '/' in /queue/NAME
	UnknownPrefix       string        `yaml:"unknown_prefix"`         // error (default), topic
	NackRequeue         bool          `yaml:"nack_requeue"`           // a NACK without requeue header requeues; DefaultConfig sets it
	AckScope            string        `yaml:"ack_scope"`              // subscription (default), connection
	TrailingLF          bool          `yaml:"trailing_lf"`            // write LF after the NUL of each frame
	ServerHeader        string        `yaml:"server_header"`          // default entrepot/VERSION; "none" hides it
	DefaultUser         string        `yaml:"default_user"`           // login of clients that send none
	DefaultPasscode     string        `yaml:"default_passcode"`
	StrictHost          bool          `yaml:"strict_host"` // refuse an unknown host header
	Paths               []string      `yaml:"paths"`       // on WebSocket listeners, default /stomp and /ws
}

// DefaultConfig is the configuration of a start without any file.
func DefaultConfig() Config {
	c := Config{NackRequeue: true}
	c = c.withDefaults()
	c.TopicStyle, c.UnknownPrefix, c.AckScope = "auto", "error", "subscription"
	return c
}

// Validate names the first key that is out of range.
func (c *Config) Validate() error {
	for _, n := range []struct {
		key   string
		value int64
	}{
		{"max_command", int64(c.MaxCommand)}, {"max_header_line", int64(c.MaxHeaderLine)},
		{"max_headers", int64(c.MaxHeaders)}, {"max_frame_before_login", int64(c.MaxFrameBeforeLogin)},
		{"max_body", int64(c.MaxBody)}, {"login_timeout", int64(c.LoginTimeout)},
		{"heartbeat_send", int64(c.HeartbeatSend)}, {"heartbeat_receive", int64(c.HeartbeatReceive)},
		{"idle_timeout", int64(c.IdleTimeout)}, {"max_subscriptions", int64(c.MaxSubscriptions)},
		{"max_transactions", int64(c.MaxTransactions)}, {"max_transaction_frames", int64(c.MaxTransactionSize)},
		{"prefetch", int64(c.Prefetch)}, {"max_unacked", int64(c.MaxUnacked)},
		{"queue_max", int64(c.QueueMax)}, {"queue_max_bytes", c.QueueMaxBytes},
	} {
		if n.value < 0 {
			return fmt.Errorf("stomp.%s: %d is negative", n.key, n.value)
		}
	}
	for _, w := range []struct{ key, value, a, b, c string }{
		{"topic_style", c.TopicStyle, "auto", "dot", "slash"},
		{"unknown_prefix", c.UnknownPrefix, "error", "topic", "topic"},
		{"ack_scope", c.AckScope, "subscription", "connection", "connection"},
	} {
		if w.value != "" && w.value != w.a && w.value != w.b && w.value != w.c {
			return fmt.Errorf("stomp.%s: %q is none of %s, %s", w.key, w.value, w.a, w.b)
		}
	}
	return nil
}

// withDefaults fills the zero fields whose default is not zero.
func (c Config) withDefaults() Config {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&c.MaxCommand, frame.DefaultCommand)
	def(&c.MaxHeaderLine, frame.DefaultLine)
	def(&c.MaxHeaders, frame.DefaultHeaders)
	def(&c.MaxFrameBeforeLogin, 64<<10)
	def(&c.MaxBody, frame.DefaultBody)
	def(&c.MaxSubscriptions, 1000)
	def(&c.MaxTransactions, 16)
	def(&c.MaxTransactionSize, 1024)
	def(&c.MaxUnacked, 100_000)
	def(&c.Prefetch, c.MaxUnacked)
	def(&c.QueueMax, 1000)
	if c.QueueMaxBytes == 0 {
		c.QueueMaxBytes = 8 << 20
	}
	if c.LoginTimeout == 0 {
		c.LoginTimeout = 5 * time.Second
	}
	if len(c.Paths) == 0 {
		c.Paths = []string{"/stomp", "/ws"}
	}
	return c
}
