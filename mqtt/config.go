package mqtt

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/entrepot/entrepot/mqtt/packet"
)

// Config is the section `mqtt` of the configuration. The zero value of a field
// is its documented default.
type Config struct {
	// Versions are the protocol versions that are served. Default: 3.1, 3.1.1 and 5.0.
	Versions []string `yaml:"versions"`
	// MaxKeepAlive is the longest keep alive of a client, in seconds; clients of 5.0 are told. 0: no bound.
	MaxKeepAlive int `yaml:"max_keepalive" unlimited:"0" min:"0" max:"65535"`
	// MaxQoS is the highest QoS of a PUBLISH, 0 to 2. Default: 2.
	MaxQoS *int `yaml:"max_qos" min:"0" max:"2"`
	// RetainAvailable is whether retained messages are allowed. Default: true.
	RetainAvailable *bool `yaml:"retain_available"`
	// WildcardAvailable is whether subscriptions may have wildcards. Default: true.
	WildcardAvailable *bool `yaml:"wildcard_available"`
	// SharedAvailable is whether shared subscriptions are allowed. Default: true.
	SharedAvailable *bool `yaml:"shared_available"`
	// SessionExpiryMax is the longest session expiry, and will delay, that a client gets. Default: 7d.
	SessionExpiryMax time.Duration `yaml:"session_expiry_max" min:"0s"`
	// V3SessionExpiry is how long a session of 3.1 or 3.1.1 with clean session 0 outlives its connection. Default: 7d.
	V3SessionExpiry time.Duration `yaml:"v3_session_expiry" min:"0s"`
	// ReceiveMaximum is how many PUBLISH packets of QoS 1 and 2 a client of 5.0 may have unacknowledged. Default: 1024.
	ReceiveMaximum int `yaml:"receive_maximum" min:"1" max:"65535"`
	// Inflight is how many PUBLISH packets of QoS 1 and 2 a client gets before it acknowledges. Default: 256.
	Inflight int `yaml:"inflight" min:"1" max:"65535"`
	// TopicAliasMaximum is how many topic aliases a client may set. Default: 64.
	TopicAliasMaximum *int `yaml:"topic_alias_maximum" min:"0" max:"65535"`
	// TopicAliasOut is whether topic aliases are used towards clients that allow them. Default: true.
	TopicAliasOut *bool `yaml:"topic_alias_out"`
	// MaximumPacketSize is the largest packet that a client may send, in bytes. Default: 16MiB.
	MaximumPacketSize int `yaml:"maximum_packet_size" min:"128" max:"268435460"`
	// AllowZeroLengthClientID is whether clients that bring no identifier get one. Default: true.
	AllowZeroLengthClientID *bool `yaml:"allow_zero_length_client_id"`
	// StrictUTF8 is whether control characters and non-characters are refused in every string. Default: false.
	StrictUTF8 bool `yaml:"strict_utf8"`
	// PayloadFormatCheck is whether a payload that claims to be UTF-8 and is not is refused. Default: true.
	PayloadFormatCheck *bool `yaml:"payload_format_check"`
	// Overlap is what overlapping subscriptions of a client make: merge, one copy, or each, a copy each. Default: merge.
	Overlap string `yaml:"overlap" enum:"merge,each"`
	// QueueQoS0 is whether QoS 0 messages wait for clients that are away. Default: false.
	QueueQoS0 bool `yaml:"queue_qos0"`
	// V3Denied is what a denied publish of 3.1 or 3.1.1 gets: ack, an acknowledgement, or close. Default: ack.
	V3Denied string `yaml:"v3_denied" enum:"ack,close"`
	// BridgeBit is whether the levels 0x83 and 0x84 of bridges are accepted. Default: true.
	BridgeBit *bool `yaml:"bridge_bit"`
	// ResponseInformation is the template of the Response Information, with {client}. Empty: never sent.
	ResponseInformation string `yaml:"response_information"`
	// AuthMethods are the methods of enhanced authentication that are offered where the users have credentials for them. Default: SCRAM-SHA-256; empty: none.
	AuthMethods []string `yaml:"auth_methods"`
	// AutoQueueExpiry is how long a queue that a subscription to $queue/NAME made stays when it is empty and nobody consumes it. Default: 24h.
	AutoQueueExpiry time.Duration `yaml:"auto_queue_expiry" min:"1s"`
	// Delayed is whether what is published to $delayed/SECONDS/TOPIC goes to TOPIC after that time. Default: false.
	Delayed bool `yaml:"delayed"`
	// DelayedMax is the longest delay. Default: 7d.
	DelayedMax time.Duration `yaml:"delayed_max" min:"1s"`
	// DelayedMessages is how many messages may wait for their time, a namespace. Default: 100000.
	DelayedMessages int `yaml:"delayed_messages" min:"1"`
	// Rewrite are rules that change topics and filters, such as {on: publish, from: "x/+/#", to: "y/{1}/{#}"}.
	// On is publish, subscribe or all. The first that matches is applied once.
	Rewrite []Rewrite `yaml:"rewrite"`
	// AutoSubscribe are subscriptions that every client gets, such as {filter: "cmd/{client}/#", qos: 1}. At most 20.
	AutoSubscribe []AutoSubscribe `yaml:"auto_subscribe"`
	// ServerReference is where clients of 5.0 are sent when this server stops or is drained: host[:port], several separated by a
	// blank, IPv6 in brackets. Empty: they are told that it stops.
	ServerReference string `yaml:"server_reference"`
	// ServerMoved tells them that it is for good. Default: false.
	ServerMoved bool `yaml:"server_moved"`
	// DrainRate is how many connections are sent away in a second. Default: 100/s.
	DrainRate Rate `yaml:"drain_rate"`
	// RedirectExempt are the users, and roles, that are not sent away by a drain. Default: none.
	RedirectExempt []string `yaml:"redirect_exempt"`
	// WSPath is the path of MQTT on WebSocket listeners. Default: /mqtt.
	WSPath string `yaml:"ws_path"`
}

const (
	defaultExpiry      = 7 * 24 * time.Hour // L18
	defaultReceiveMax  = 1024               // L12
	defaultInflight    = 256                // L13
	defaultAliases     = 64                 // L21
	defaultPacketBytes = 16 << 20           // L7
	defaultDelayed     = 100_000            // MY6
)

// Validate names the first key that is out of range.
func (c *Config) Validate() error {
	for _, v := range c.Versions {
		if versionNamed(v) == 0 {
			return fmt.Errorf("mqtt.versions: %q is none of 3.1, 3.1.1, 5.0", v)
		}
	}
	for _, m := range c.AuthMethods {
		if m == "" || len(m) > 64 || packet.HasControl([]byte(m)) || !utf8.ValidString(m) {
			return fmt.Errorf("mqtt.auth_methods: %q is no name of a method", m)
		}
	}
	for _, n := range []struct {
		key         string
		value       int
		least, most int
	}{
		{"max_keepalive", c.MaxKeepAlive, 0, 65535},
		{"max_qos", intOr(c.MaxQoS, 2), 0, 2},
		{"receive_maximum", c.ReceiveMaximum, 0, 65535},
		{"inflight", c.Inflight, 0, 65535},
		{"topic_alias_maximum", intOr(c.TopicAliasMaximum, defaultAliases), 0, 65535},
		{"maximum_packet_size", c.MaximumPacketSize, 0, packet.MaxVarint + 5},
		{"auto_queue_expiry", int(c.AutoQueueExpiry), 0, int(^uint(0) >> 1)},
		{"delayed_max", int(c.DelayedMax), 0, int(^uint(0) >> 1)},
		{"delayed_messages", c.DelayedMessages, 0, int(^uint(0) >> 1)},
		{"session_expiry_max", int(c.SessionExpiryMax), 0, int(^uint(0) >> 1)},
		{"v3_session_expiry", int(c.V3SessionExpiry), 0, int(^uint(0) >> 1)},
	} {
		if n.value < n.least || n.value > n.most {
			return fmt.Errorf("mqtt.%s: %d is not between %d and %d", n.key, n.value, n.least, n.most)
		}
	}
	if !slices.Contains([]string{"", "merge", "each"}, c.Overlap) {
		return fmt.Errorf("mqtt.overlap: %q is neither merge nor each", c.Overlap)
	}
	if !slices.Contains([]string{"", "ack", "close"}, c.V3Denied) {
		return fmt.Errorf("mqtt.v3_denied: %q is neither ack nor close", c.V3Denied)
	}
	if err := checkReference(c.ServerReference); err != nil {
		return fmt.Errorf("mqtt.server_reference: %w", err)
	}
	if c.DrainRate < 0 {
		return fmt.Errorf("mqtt.drain_rate: %v is not above 0", c.DrainRate)
	}
	if slices.Contains(c.RedirectExempt, "") {
		return errors.New("mqtt.redirect_exempt: a name is empty")
	}
	if c.WSPath != "" && c.WSPath[0] != '/' {
		return fmt.Errorf("mqtt.ws_path: %q does not begin with /", c.WSPath)
	}
	if _, err := checkRewrites(c.Rewrite); err != nil {
		return err
	}
	_, err := checkAutoSubscribe(c.AutoSubscribe)
	return err
}

func versionNamed(s string) packet.Version {
	for _, v := range []packet.Version{packet.V31, packet.V311, packet.V5} {
		if v.String() == s {
			return v
		}
	}
	return 0
}

func intOr(p *int, def int) int {
	if p == nil {
		return def
	}
	return *p
}

func boolOr(p *bool, def bool) bool {
	if p == nil {
		return def
	}
	return *p
}

// settings is a Config with its defaults filled in: what the room reads.
type settings struct {
	versions       [packet.V5 + 1]bool
	maxKeepAlive   uint16
	maxQoS         uint8
	retain         bool
	wildcard       bool
	shared         bool
	expiryMax      time.Duration
	v3Expiry       time.Duration
	receiveMax     int
	inflight       int
	aliasesIn      int
	aliasesOut     bool
	packetBytes    int
	emptyID        bool
	strict         bool
	payloadCheck   bool
	each           bool
	queueQoS0      bool
	v3DeniedCloses bool
	bridgeBit      bool
	responseInfo   string
	authMethods    []string
	reference      []byte
	movedCode      packet.Code
	drainRate      int
	exempt         []string
	wsPath         string

	idleQueue       time.Duration
	places          bool // delayed, or rewriting of what is published
	delayed         bool
	delayedMax      uint32 // seconds
	delayedMessages int
	rewrite         [onKinds][]rule
	auto            []autoSubscription
}

func (c *Config) settings() settings {
	or := func(v, def int) int {
		if v == 0 {
			return def
		}
		return v
	}
	s := settings{
		maxKeepAlive: uint16(c.MaxKeepAlive), maxQoS: uint8(intOr(c.MaxQoS, 2)),
		retain: boolOr(c.RetainAvailable, true), wildcard: boolOr(c.WildcardAvailable, true), shared: boolOr(c.SharedAvailable, true),
		expiryMax: time.Duration(or(int(c.SessionExpiryMax), int(defaultExpiry))), v3Expiry: time.Duration(or(int(c.V3SessionExpiry), int(defaultExpiry))),
		receiveMax: or(c.ReceiveMaximum, defaultReceiveMax), inflight: or(c.Inflight, defaultInflight),
		aliasesIn: intOr(c.TopicAliasMaximum, defaultAliases), aliasesOut: boolOr(c.TopicAliasOut, true),
		packetBytes: or(c.MaximumPacketSize, defaultPacketBytes), emptyID: boolOr(c.AllowZeroLengthClientID, true),
		strict: c.StrictUTF8, payloadCheck: boolOr(c.PayloadFormatCheck, true), each: c.Overlap == "each",
		queueQoS0: c.QueueQoS0, v3DeniedCloses: c.V3Denied == "close", bridgeBit: boolOr(c.BridgeBit, true),
		responseInfo: c.ResponseInformation, wsPath: c.WSPath, authMethods: c.AuthMethods,
		idleQueue: c.AutoQueueExpiry, delayed: c.Delayed, delayedMessages: or(c.DelayedMessages, defaultDelayed),
		delayedMax: uint32(min(or(int(c.DelayedMax), int(defaultExpiry))/int(time.Second), math.MaxUint32)),
		reference:  []byte(c.ServerReference), movedCode: packet.UseAnotherServer, drainRate: or(int(c.DrainRate), defaultDrainRate), exempt: c.RedirectExempt,
	}
	if c.ServerMoved {
		s.movedCode = packet.ServerMoved
	}
	if s.authMethods == nil {
		s.authMethods = []string{"SCRAM-SHA-256"}
	}
	s.rewrite, _ = checkRewrites(c.Rewrite) // by Validate
	s.auto, _ = checkAutoSubscribe(c.AutoSubscribe)
	s.places = s.delayed || len(s.rewrite[onPublish]) > 0
	s.v3Expiry = min(s.v3Expiry, s.expiryMax) // MC19
	if s.wsPath == "" {
		s.wsPath = "/mqtt"
	}
	for _, v := range c.Versions {
		s.versions[versionNamed(v)] = true
	}
	if len(c.Versions) == 0 {
		s.versions[packet.V31], s.versions[packet.V311], s.versions[packet.V5] = true, true, true
	}
	return s
}
