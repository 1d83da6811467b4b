package stomp

import (
	"errors"
	"fmt"
	"time"

	"github.com/entrepot/entrepot/stomp/frame"
)

// Config is the section `stomp` of the configuration. The zero value of a
// number or text is its documented default.
type Config struct {
	// MaxCommand bounds the command line, in octets. Default: 32.
	MaxCommand int `yaml:"max_command" min:"10" max:"1024"`
	// MaxHeaderLine bounds one header line, in octets. Default: 8KiB.
	MaxHeaderLine int `yaml:"max_header_line" min:"64" max:"1048576"`
	// MaxHeaders bounds the header lines of a frame, repeated ones included. Default: 100.
	MaxHeaders int `yaml:"max_headers" min:"10" max:"10000"`
	// MaxFrameBeforeLogin bounds a whole frame before the login, in octets. Default: 64KiB.
	MaxFrameBeforeLogin int `yaml:"max_frame_before_login" min:"256" max:"1048576"`
	// MaxBody is the largest body of a SEND, in octets; limits.message_bytes bounds it too. Default: 16MiB.
	MaxBody int `yaml:"max_body" min:"1" max:"1073741824"`
	// LoginTimeout is the time for CONNECT; limits.preauth bounds it too. Default: 5s.
	LoginTimeout time.Duration `yaml:"login_timeout" min:"100ms"`
	// HeartbeatSend is the interval at which the server offers heart-beats. 0s: as the client wishes, 100ms at least.
	HeartbeatSend time.Duration `yaml:"heartbeat_send" min:"0s"`
	// HeartbeatReceive is the interval at which the server wants heart-beats. 0s: as the client offers, 100ms at least.
	HeartbeatReceive time.Duration `yaml:"heartbeat_receive" min:"0s"`
	// IdleTimeout ends a client without heart-beats that says nothing for so long. Default: unlimited.
	IdleTimeout time.Duration `yaml:"idle_timeout" unlimited:"0" min:"0s"`
	// MaxSubscriptions bounds the subscriptions of a connection, and its private queues. Default: 1000.
	MaxSubscriptions int `yaml:"max_subscriptions" min:"1" max:"1000000"`
	// MaxTransactions bounds the transactions that a connection has open at once. Default: 16.
	MaxTransactions int `yaml:"max_transactions" min:"1" max:"10000"`
	// MaxTransactionFrames bounds the frames of a transaction; max_body bounds the sum of their bodies. Default: 1024.
	MaxTransactionFrames int `yaml:"max_transaction_frames" min:"1" max:"1000000"`
	// Prefetch is how many messages a subscription gets before it settles one, unless it says so itself.
	// Default: max_unacked.
	Prefetch int `yaml:"prefetch" min:"1"`
	// MaxUnacked bounds the unsettled messages of a connection. Default: 100000.
	MaxUnacked int `yaml:"max_unacked" min:"1"`
	// QueueMax is how many messages wait for a topic subscription that is not durable; one more drops the oldest.
	// Default: 1000.
	QueueMax int `yaml:"queue_max" min:"1"`
	// QueueMaxBytes bounds their sum. Default: 8MiB.
	QueueMaxBytes int64 `yaml:"queue_max_bytes" min:"1"`
	// TopicStyle is how /topic/ destinations are read: dot (levels separated by dots, as RabbitMQ does), slash (as MQTT
	// does), or auto: slash where there is one, else dot.
	TopicStyle string `yaml:"topic_style" enum:"auto,dot,slash"`
	// QueueSlash allows a slash in /queue/NAME; otherwise it is written %2F.
	QueueSlash bool `yaml:"queue_slash"`
	// UnknownPrefix is what a destination of an unknown kind is: an error, or as a whole a topic.
	UnknownPrefix string `yaml:"unknown_prefix" enum:"error,topic"`
	// NackRequeue makes NACK give a message back; otherwise it is rejected. Its requeue header has the last word.
	NackRequeue bool `yaml:"nack_requeue"`
	// AckScope is what an ACK of a subscription with ack:client settles: earlier messages of the same subscription, or of
	// the whole connection, as RabbitMQ does.
	AckScope string `yaml:"ack_scope" enum:"subscription,connection"`
	// TrailingLF writes a line feed behind each frame.
	TrailingLF bool `yaml:"trailing_lf"`
	// ServerHeader is what CONNECTED says of the server; none hides it. Default: entrepot/VERSION.
	ServerHeader string `yaml:"server_header"`
	// DefaultUser is the login of clients that send none.
	DefaultUser string `yaml:"default_user"`
	// DefaultPasscode is the passcode that goes with it.
	DefaultPasscode string `yaml:"default_passcode"`
	// ImplicitConnect lets clients begin with another frame than CONNECT, as DefaultUser and in version 1.0. They get no
	// CONNECTED.
	ImplicitConnect bool `yaml:"implicit_connect"`
	// StrictHost refuses a host header that names neither / nor the namespace.
	StrictHost bool `yaml:"strict_host"`
	// Paths are the request paths on WebSocket listeners. Default: /stomp and /ws.
	Paths []string `yaml:"paths"`
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
		{"max_transactions", int64(c.MaxTransactions)}, {"max_transaction_frames", int64(c.MaxTransactionFrames)},
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
	if c.ImplicitConnect && c.DefaultUser == "" {
		return errors.New("stomp.implicit_connect: needs default_user, whom such clients are")
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
	def(&c.MaxTransactionFrames, 1024)
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
