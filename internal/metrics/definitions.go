package metrics

// Kind is what a metric's value means.
type Kind uint8

// The kinds.
const (
	Counter   Kind = iota // only grows
	Gauge                 // goes up and down
	Histogram             // durations in buckets; see Timing
)

// A Definition is one metric. Label values come from bounded sets: never a client, user or topic.
type Definition struct {
	// Name is the full name, with the prefix entrepot_.
	Name   string
	Labels []string
	Kind   Kind
	Help   string
}

// Definitions are all metrics of the house, in the order of docs/metrics.md.
var Definitions = append(commonDefinitions, roomDefinitions...)

var commonDefinitions = []Definition{
	{"entrepot_build_info", []string{"version", "commit", "go"}, Gauge, "Always 1; the labels tell what runs."},
	{"entrepot_config_info", []string{"sha256"}, Gauge, "Always 1; the checksum of the configuration file."},
	{"entrepot_config_reloads_total", []string{"result"}, Counter, "Reloads of the configuration: ok, or rejected, which keeps the one before."},
	{"entrepot_connections", []string{"protocol", "listener", "state"}, Gauge, "Open connections, and peers of datagram listeners, by state: unauth or auth."},
	{"entrepot_connects_total", []string{"protocol", "result", "reason"}, Counter, "Connections that were accepted, and those that were refused later: logins by their reason. WebSocket upgrades are refused for path, subprotocol, origin or upgrade."},
	{AuthSeconds, []string{"backend", "result"}, Histogram, "How long a backend took to answer about a login, by what it came to: ok, denied, unknown, error, busy."},
	{"entrepot_auth_queue", nil, Gauge, "Logins that wait for their password to be hashed, or have a place."},
	{"entrepot_acl_decisions_total", []string{"action", "result"}, Counter, "What the rules decided, allow or deny, by action: publish, retain, subscribe, share, deliver, will, queue. Decisions that a connection or queue remembers are counted once."},
	{"entrepot_logins_total", []string{"protocol"}, Counter, "Connections that logged in, anonymously or not, and peers of datagram listeners."},
	{"entrepot_bytes_total", []string{"protocol", "direction"}, Counter, "Bytes that were read and written, without those of TLS, WebSocket and below."},
	{"entrepot_write_waiting_bytes", []string{"protocol"}, Gauge, "Bytes that wait for peers that read slowly."},
	{"entrepot_reading_paused_total", []string{"protocol"}, Counter, "Pauses of a connection's input because of what it published: overload, or publish_rate."},
	{"entrepot_datagrams_total", []string{"protocol", "direction"}, Counter, "Datagrams that were read and sent."},
	{"entrepot_disconnects_total", []string{"protocol", "reason"}, Counter, "Connections that ended."},
	{"entrepot_preauth_closed_total", []string{"protocol", "reason"}, Counter, "Connections closed before they had logged in: deadline, bytes, places, malformed, protocol, tls, proxy."},
	{"entrepot_protocol_errors_total", []string{"protocol", "reason"}, Counter, "Input that was refused."},
	{"entrepot_limit_refused_total", []string{"protocol", "limit"}, Counter, "Actions that a limit refused, by the limit's key."},
	{"entrepot_namespace_limit_refused_total", []string{"namespace", "limit"}, Counter, "What a limit refused or dropped in a namespace, by the limit's key; those of protocol core in entrepot_limit_refused_total are their sums."},
	{"entrepot_namespace_imported_total", []string{"from", "to"}, Counter, "Messages that were routed in another namespace too."},
	{"entrepot_refused_total", []string{"protocol", "reason"}, Counter, "Logins, publishes, subscriptions and the like that were refused, by reason, in every protocol where it answers (MQTT 3.x: where it leaves unanswered). Messages of QoS 0 of MQTT, and others that get no answer, count in entrepot_messages_dropped_total."},
	{"entrepot_messages_total", []string{"protocol", "direction", "qos"}, Counter, "Messages, in from publishers or out to receivers."},
	{"entrepot_message_bytes_total", []string{"protocol", "direction", "qos"}, Counter, "Bytes of their payloads."},
	{"entrepot_messages_dropped_total", []string{"protocol", "reason"}, Counter, "Messages that were not delivered: queue_full, expired, acl, too_large, shed, no_subscriber, rate, slow_consumer, loop."},
	{"entrepot_translations_total", []string{"from", "to", "result"}, Counter, "Messages that left by another protocol than they came by: ok, lossy if it cannot carry a field of them (entrepot_mapping_dropped_total), dropped if the receiver cannot take them. Those of the gateway itself come from other."},
	{DeliverySeconds, []string{"from", "to"}, Histogram, "How long deliveries took, from the moment the message was accepted to that when it was written to the receiver, by the protocols that it came and left by. A sample, about one message in a millisecond of each loop: its count is no number of messages (docs/operations.md)."},
	{"entrepot_mapping_dropped_total", []string{"from", "to", "field"}, Counter, "Fields that the receiver's protocol cannot carry (docs/mapping.md)."},
	{"entrepot_sessions", []string{"namespace", "state"}, Gauge, "Sessions, connected and offline. Of more than 100 namespaces those beyond are other, here and below."},
	{"entrepot_session_takeovers_total", []string{"protocol"}, Counter, "Sessions that another connection of the same client took over."},
	{"entrepot_subscriptions", []string{"namespace"}, Gauge, "Subscriptions."},
	{"entrepot_retained_messages", []string{"namespace"}, Gauge, "Retained messages."},
	{"entrepot_retained_bytes", []string{"namespace"}, Gauge, "Memory that counts for them, in bytes."},
	{"entrepot_queues", []string{"namespace"}, Gauge, "Named queues and shared groups."},
	{"entrepot_delayed_messages", []string{"namespace"}, Gauge, "Messages that wait for their time."},
	{"entrepot_delayed_bytes", []string{"namespace"}, Gauge, "Memory that counts for them, in bytes."},
	{"entrepot_queue_messages", []string{"namespace"}, Gauge, "Messages that wait in a queue."},
	{"entrepot_queue_bytes", []string{"namespace"}, Gauge, "Memory that counts for them, in bytes."},
	{"entrepot_inflight", []string{"namespace"}, Gauge, "Deliveries that are not settled yet."},
	{"entrepot_store_state", nil, Gauge, "0 the store works, 1 it refuses, 2 it failed."},
	{"entrepot_store_orphans", nil, Gauge, "Records that the start removed from the store, because they referred to something that was not there."},
	{"entrepot_store_errors_total", []string{"op"}, Counter, "Failed operations of the store."},
	{FsyncSeconds, nil, Histogram, "How long a sync of the store's log took."},
	{"entrepot_sys_events_dropped_total", nil, Counter, "Events of clients that were not published below $SYS, because too many waited."},
	{"entrepot_udp_dropped_total", []string{"protocol", "reason"}, Counter, "Datagrams that were not answered."},
	{"entrepot_udp_amplification_refused_total", []string{"protocol"}, Counter, "Answers and messages that were withheld because the source had proved nothing, each time that they were."},
	{"entrepot_udp_challenges_total", []string{"protocol"}, Counter, "Challenges to sources that had proved nothing: CoAP's Echo, HelloVerifyRequest of DTLS."},
	{"entrepot_dtls_handshakes_total", []string{"protocol", "result"}, Counter, "DTLS handshakes of proven addresses, by how they ended: ok, tls, deadline, bytes."},
	{"entrepot_dtls_associations", []string{"protocol"}, Gauge, "DTLS associations."},
	{"entrepot_tls_cert_expiry_timestamp_seconds", []string{"listener"}, Gauge, "When the certificate of a listener ends."},
	{"entrepot_overload_state", []string{"resource"}, Gauge, "Level of memory, disk, cpu and descriptors: 0 normal, 1 shed, 2 brake, 3 refuse; disk: 1 full."},
	{"entrepot_memory_bytes", nil, Gauge, "Memory that counts against the limit."},
	{"entrepot_memory_limit_bytes", nil, Gauge, "GOMEMLIMIT; -1: none is set, and memory has no level."},
	{"entrepot_disk_free_bytes", nil, Gauge, "Free space of the data directory; -1: nothing is stored on disk."},
	{"entrepot_panics_recovered_total", []string{"protocol"}, Counter, "Defects of ours that cost one connection; alert above 0."},
	{"entrepot_log_suppressed_total", []string{"event"}, Counter, "Log lines beyond the rate, counted instead of written."},
}
