package gateway

import (
	"math"
	"net/netip"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/config"
)

// Limits is the section `limits`: bounds that hold for every protocol. SECURITY.md, section 5
type Limits struct {
	// Preauth bounds a connection that has not logged in yet.
	Preauth Preauth `yaml:"preauth"`
	// Connections of the whole process, clients of datagram listeners included; of streams at most the number of descriptors less 512.
	Connections int `yaml:"connections" min:"1"`
	// AcceptRate bounds new connections; trusted ranges are exempt from the part for one address.
	AcceptRate AcceptRate `yaml:"accept_rate" plain:"listener"`
	// MessageBytes is the largest payload.
	MessageBytes config.Size `yaml:"message_bytes" min:"1KiB" max:"256MiB"`
	// TopicBytes is the longest topic or filter.
	TopicBytes int `yaml:"topic_bytes" min:"1" max:"65535"`
	// TopicLevels is the number of levels of a topic or filter.
	TopicLevels int `yaml:"topic_levels" min:"1" max:"65535"`
	// ClientIDBytes is the longest client identifier.
	ClientIDBytes int `yaml:"client_id_bytes" min:"23" max:"65535"`
	// UsernameBytes is the longest user name.
	UsernameBytes int `yaml:"username_bytes" min:"1" max:"65535"`
	// PasswordBytes is the longest password.
	PasswordBytes int `yaml:"password_bytes" min:"1" max:"65535"`
	// Properties is the number of user properties or headers of a message.
	Properties int `yaml:"properties" min:"1" max:"65535"`
	// PropertyBytes is their sum.
	PropertyBytes config.Size `yaml:"property_bytes" min:"1KiB" max:"16MiB"`
	// Subscriptions bounds those of one session.
	Subscriptions Subscriptions `yaml:"subscriptions" plain:"session"`
	// QueueMessages is what may wait in one queue. A session's queue drops its oldest, a named one refuses.
	QueueMessages int `yaml:"queue_messages" min:"1"`
	// QueueBytes is the memory that counts for them.
	QueueBytes config.Size `yaml:"queue_bytes" min:"1KiB"`
	// MemoryWindow is how much of a durable queue waits in memory; the rest is in the store and read back in time. Of a session that is away, 8 messages and 4 KiB stay.
	MemoryWindow MemoryWindow `yaml:"memory_window" plain:"messages"`
	// WriteBuffer bounds what waits for a peer that reads slowly.
	WriteBuffer WriteBuffer `yaml:"write_buffer" plain:"bytes"`
	// SessionsOffline bounds sessions that outlive their connections.
	SessionsOffline SessionsOffline `yaml:"sessions_offline" plain:"namespace"`
	// SessionExpiryMax caps the life of a session after its connection, and the delay of a will.
	SessionExpiryMax time.Duration `yaml:"session_expiry_max" min:"1s" max:"3650d"`
	// Retained bounds retained messages.
	Retained Retained `yaml:"retained" plain:"namespace"`
	// RetainedBytes is the memory that counts for them.
	RetainedBytes config.Size `yaml:"retained_bytes" min:"1KiB"`
	// Queues bounds named queues.
	Queues Queues `yaml:"queues" plain:"namespace"`
	// AuthFailures is how many failed logins an address, and a user from one address, may have.
	AuthFailures config.Rate `yaml:"auth_failures" min:"1/min" unlimited:"-1"`
	// PublishRate is how many messages one connection may publish; beyond it its reading pauses, and a client of a datagram listener is refused.
	PublishRate config.Rate `yaml:"publish_rate"`
	// PublishBytesRate is how many bytes of them it may send in a second. The default is unlimited: reading follows what is published.
	PublishBytesRate config.Size `yaml:"publish_bytes_rate" min:"1" unlimited:"-1"`
	// UDP bounds datagram listeners.
	UDP UDP `yaml:"udp"`
	// LogRate is how many lines of one event the log may have; what comes beyond is counted and told by one line every 10 s.
	LogRate config.Rate `yaml:"log_rate" min:"1/s" unlimited:"-1"`
	// Overload is when the gateway holds back because something runs short.
	Overload Overload `yaml:"overload"`
	// Drain is how long connections of a listener may stay that a reload has removed; unlimited lets them stay until they go.
	Drain time.Duration `yaml:"drain" unlimited:"36500d"`
	// Trusted are the ranges that are exempt from the rates of an address and from the places of its connections without login.
	Trusted []netip.Prefix `yaml:"trusted"`
}

// Preauth bounds a connection that has not logged in yet.
type Preauth struct {
	// Deadline is the time from accept to the complete credentials.
	Deadline time.Duration `yaml:"deadline" min:"100ms" max:"5m"`
	// Exchange is the time from there to the end of the login.
	Exchange time.Duration `yaml:"exchange" min:"100ms" max:"5m"`
	// Bytes is how much may be received before.
	Bytes config.Size `yaml:"bytes" min:"1KiB" max:"16MiB"`
	// Connections without login at a time.
	Connections PreauthConnections `yaml:"connections" plain:"process"`
}

// PreauthConnections counts connections without login.
type PreauthConnections struct {
	// Process is the number of all.
	Process int `yaml:"process" min:"1"`
	// Address is the number from one address; trusted ranges are exempt.
	Address int `yaml:"address" min:"1"`
}

// AcceptRate bounds new connections.
type AcceptRate struct {
	// Listener is the rate of one listener.
	Listener config.Rate `yaml:"listener"`
	// Address is the rate of one address.
	Address config.Rate `yaml:"address"`
}

// MemoryWindow is how much of a durable queue waits in memory.
type MemoryWindow struct {
	// Messages that wait.
	Messages int `yaml:"messages" min:"16" max:"1000000"`
	// Bytes is the memory that counts for them.
	Bytes config.Size `yaml:"bytes" min:"4KiB" max:"1GiB"`
}

// WriteBuffer bounds what waits for a peer that reads slowly.
type WriteBuffer struct {
	// Bytes that wait before the peer's input stops.
	Bytes config.Size `yaml:"bytes" min:"64KiB" max:"1GiB"`
	// Stalled ends a peer that reads nothing for so long.
	Stalled time.Duration `yaml:"stalled" min:"1s" max:"1h"`
}

// Subscriptions bounds the subscriptions of a session.
type Subscriptions struct {
	// Session is their number.
	Session int `yaml:"session" min:"1"`
	// Bytes is the text of their filters together.
	Bytes config.Size `yaml:"bytes" min:"1KiB"`
}

// SessionsOffline bounds sessions that outlive their connections.
type SessionsOffline struct {
	// Namespace is the number of all, those that are connected included.
	Namespace int `yaml:"namespace" min:"1"`
	// Principal is the number of one user's; anonymous clients are not counted.
	Principal int `yaml:"principal" min:"1"`
}

// Retained bounds retained messages.
type Retained struct {
	// Namespace is the number of all.
	Namespace int `yaml:"namespace" min:"1"`
	// Principal is the number of those that one user published last; anonymous clients are not counted.
	Principal int `yaml:"principal" min:"1"`
}

// Queues bounds named queues.
type Queues struct {
	// Namespace is the number of all.
	Namespace int `yaml:"namespace" min:"1"`
	// Bindings is the number of filters of one.
	Bindings int `yaml:"bindings" min:"1"`
}

// UDP bounds datagram listeners.
type UDP struct {
	// Peers of one datagram listener.
	Peers int `yaml:"peers" min:"1"`
	// PeersPerAddress is how many of them one address may have, trusted ranges included.
	PeersPerAddress int `yaml:"peers_per_address" min:"1"`
}

// DefaultLimits are the bounds when the configuration says nothing.
func DefaultLimits() *Limits {
	a := adapters.Limits{}.WithDefaults()
	return &Limits{
		Preauth: Preauth{Deadline: a.PreauthDeadline, Exchange: a.PreauthExchange, Bytes: config.Size(a.PreauthBytes),
			Connections: PreauthConnections{a.PreauthConnections, a.PreauthPerAddress}},
		Connections:      a.Connections,
		AcceptRate:       AcceptRate{config.Rate(a.AcceptRate), config.Rate(a.AcceptRateAddress)},
		MessageBytes:     config.Size(a.MessageBytes),
		TopicBytes:       65535,
		TopicLevels:      128,
		ClientIDBytes:    a.ClientIDBytes,
		UsernameBytes:    a.UsernameBytes,
		PasswordBytes:    a.PasswordBytes,
		Properties:       a.Properties,
		PropertyBytes:    config.Size(a.PropertyBytes),
		Subscriptions:    Subscriptions{10_000, 4 << 20},
		QueueMessages:    1_000_000,
		QueueBytes:       1 << 30,
		MemoryWindow:     MemoryWindow{256, 1 << 20},
		WriteBuffer:      WriteBuffer{config.Size(a.WriteBuffer), a.WriteStall},
		SessionsOffline:  SessionsOffline{1_000_000, 10_000},
		SessionExpiryMax: 7 * 24 * time.Hour,
		Retained:         Retained{1_000_000, 100_000},
		RetainedBytes:    1 << 30,
		Queues:           Queues{10_000, 1000},
		AuthFailures:     10.0 / 60,
		PublishRate:      -1,
		PublishBytesRate: -1,
		UDP:              UDP{a.UDPPeers, a.UDPPeersPerAddress},
		LogRate:          50,
		Overload:         defaultOverload(),
		Drain:            30 * time.Second,
		Trusted:          []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
	}
}

// adapters are the bounds that loops and rooms keep.
func (l *Limits) adapters() adapters.Limits {
	return adapters.Limits{
		PreauthDeadline: l.Preauth.Deadline, PreauthExchange: l.Preauth.Exchange, PreauthBytes: int(l.Preauth.Bytes),
		PreauthConnections: l.Preauth.Connections.Process, PreauthPerAddress: l.Preauth.Connections.Address,
		Connections: l.Connections, AcceptRate: rate(l.AcceptRate.Listener), AcceptRateAddress: rate(l.AcceptRate.Address),
		MessageBytes: int(l.MessageBytes), ClientIDBytes: l.ClientIDBytes, UsernameBytes: l.UsernameBytes, PasswordBytes: l.PasswordBytes,
		Properties: l.Properties, PropertyBytes: int(l.PropertyBytes), WriteBuffer: int(l.WriteBuffer.Bytes), WriteStall: l.WriteBuffer.Stalled,
		PublishRate: perConnection(l.PublishRate), PublishBytesRate: max(0, int(l.PublishBytesRate)),
		UDPPeers: l.UDP.Peers, UDPPeersPerAddress: l.UDP.PeersPerAddress,
		Trusted: l.Trusted, // empty is nobody; it is never nil, which would be the default
	}
}

// of are the bounds of one listener: the smaller ones of its own and those of all.
func (l *Limits) of(own *config.ListenerLimits) adapters.Limits {
	a := l.adapters()
	if own == nil {
		return a
	}
	lower(&a.PreauthDeadline, own.Preauth.Deadline)
	lower(&a.PreauthExchange, own.Preauth.Exchange)
	lower(&a.PreauthBytes, int(own.Preauth.Bytes))
	lower(&a.Connections, own.Connections)
	lower(&a.AcceptRate, int(own.AcceptRate))
	lower(&a.MessageBytes, int(own.MessageBytes))
	lower(&a.ClientIDBytes, own.ClientIDBytes)
	lower(&a.UsernameBytes, own.UsernameBytes)
	lower(&a.PasswordBytes, own.PasswordBytes)
	lower(&a.Properties, own.Properties)
	lower(&a.PropertyBytes, int(own.PropertyBytes))
	lower(&a.WriteBuffer, int(own.WriteBuffer.Bytes))
	lower(&a.WriteStall, own.WriteBuffer.Stalled)
	lower(&a.PublishRate, int(own.PublishRate))
	lower(&a.PublishBytesRate, int(own.PublishBytesRate))
	return a
}

// authFailures are failed logins a minute; negative: as many as there are.
func (l *Limits) authFailures() int {
	if l.AuthFailures < 0 {
		return -1
	}
	return max(1, int(math.Round(float64(l.AuthFailures)*60)))
}

// lower takes the smaller bound; 0 is none.
func lower[N int | time.Duration](bound *N, own N) {
	if own > 0 && (*bound == 0 || own < *bound) {
		*bound = own
	}
}

// rate is a whole number of events in a second; what is unlimited is more than a machine can do.
func rate(r config.Rate) int {
	if r < 0 {
		return 1 << 30
	}
	return max(1, int(r))
}

// perConnection is a rate for which 0 means unlimited.
func perConnection(r config.Rate) int {
	if r < 0 {
		return 0
	}
	return max(1, int(r))
}

// core are the bounds of a namespace.
func (l *Limits) core() core.Limits {
	return core.Limits{
		Sessions: l.SessionsOffline.Namespace, PrincipalSessions: l.SessionsOffline.Principal,
		Subscriptions: l.Subscriptions.Session, SubscriptionBytes: int(l.Subscriptions.Bytes),
		Retained: l.Retained.Namespace, PrincipalRetained: l.Retained.Principal, RetainedBytes: int64(l.RetainedBytes),
		Queues: l.Queues.Namespace, Bindings: l.Queues.Bindings, QueueMessages: l.QueueMessages, QueueBytes: int64(l.QueueBytes),
		WindowMessages: l.MemoryWindow.Messages, WindowBytes: int64(l.MemoryWindow.Bytes),
		TopicBytes: l.TopicBytes, TopicLevels: l.TopicLevels, SessionExpiryMS: l.SessionExpiryMax.Milliseconds(),
	}
}
