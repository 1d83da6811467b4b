package sys

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// value is one topic: its name below $SYS/broker/, what it means, and its text.
type value struct {
	name, about string
	read        func(s *snapshot) string
}

// measure is a count of what has happened.
type measure struct {
	name, about string
	read        func(s *snapshot) uint64
}

func number(read func(s *snapshot) uint64) func(*snapshot) string {
	return func(s *snapshot) string { return strconv.FormatUint(read(s), 10) }
}

// values are the topics of the whole gateway, in the order of docs/sys.md.
var values = []value{
	{"version", "`entrepot version` and the version", func(s *snapshot) string { return "entrepot version " + s.version }},
	{"uptime", "since the start, as `123 seconds`", func(s *snapshot) string { return fmt.Sprintf("%d seconds", s.uptime/time.Second) }},
	{"entrepot/overload", "how much is held back: `0` nothing, `1` shed, `2` brake, `3` refuse; at least `1` while the disk is full", overloaded}, // Y6
	{"clients/total", "`clients/connected` and `clients/disconnected` together", number(func(s *snapshot) uint64 { return s.all.connected + uint64(s.core.Offline) })},
	{"clients/connected", "clients that are connected, peers of datagram listeners included", number(connected)},
	{"clients/active", "the older name of `clients/connected`", number(connected)},
	{"clients/disconnected", "sessions whose client is away", number(offline)},
	{"clients/inactive", "the older name of `clients/disconnected`", number(offline)},
	{"clients/maximum", "the most connected clients that a tick has seen", number(func(s *snapshot) uint64 { return s.mostConnected })},
	{"clients/expired", "sessions that ended by time while their client was away", number(func(s *snapshot) uint64 { return s.expired })},
	{"connections/socket/count", "open connections, those without a login included, peers of datagram listeners not", number(func(s *snapshot) uint64 { return s.all.open })},
	{"messages/received", "packets of any kind that were received: packets of MQTT and MQTT-SN, frames of STOMP and AMQP, messages of CoAP", number(func(s *snapshot) uint64 { return s.all.packets[adapters.In] })},
	{"messages/sent", "the same, sent", number(func(s *snapshot) uint64 { return s.all.packets[adapters.Out] })},
	{"messages/stored", "the older name of `store/messages/count`", number(stored)},
	{"messages/inflight", "deliveries that are not settled", number(func(s *snapshot) uint64 { return uint64(s.core.InFlight) })},
	{"store/messages/count", "messages that wait or are in flight, once for each queue, and retained ones but those of $SYS", number(stored)},
	{"store/messages/bytes", "the memory that counts for them", number(func(s *snapshot) uint64 { return uint64(s.core.QueueBytes + s.core.RetainedBytes) })},
	{"bytes/received", "bytes that were received, without those of TLS, WebSocket and below", number(func(s *snapshot) uint64 { return s.all.bytes[adapters.In] })},
	{"bytes/sent", "the same, sent", number(func(s *snapshot) uint64 { return s.all.bytes[adapters.Out] })},
	{"publish/messages/received", "messages that publishers sent", number(func(s *snapshot) uint64 { return s.all.messages[adapters.In] })},
	{"publish/messages/sent", "messages that were sent to receivers", number(func(s *snapshot) uint64 { return s.all.messages[adapters.Out] })},
	{"publish/messages/dropped", "messages that a full queue or a limit dropped", number(func(s *snapshot) uint64 { return s.dropped })},
	{"publish/bytes/received", "bytes of the payloads that publishers sent", number(func(s *snapshot) uint64 { return s.all.payload[adapters.In] })},
	{"publish/bytes/sent", "bytes of the payloads that were sent to receivers", number(func(s *snapshot) uint64 { return s.all.payload[adapters.Out] })},
	{"packet/out/bytes", "bytes that wait for clients that read slowly", number(func(s *snapshot) uint64 { return s.all.waiting })},
	{"retained messages/count", "retained messages, those of $SYS included", number(func(s *snapshot) uint64 { return uint64(s.core.Retained + s.core.System) })},
	{"subscriptions/count", "subscriptions, the filters of named queues included, shared ones not", number(func(s *snapshot) uint64 { return uint64(max(0, s.core.Subscriptions-s.core.Groups)) })},
	{"shared_subscriptions/count", "members of shared subscriptions", number(func(s *snapshot) uint64 { return uint64(s.core.Members) })},
	{"heap/current", "bytes of objects in memory", number(func(s *snapshot) uint64 { return s.heap })},
	{"heap/current size", "the same", number(func(s *snapshot) uint64 { return s.heap })},
	{"heap/maximum", "the most that a tick has seen", number(func(s *snapshot) uint64 { return s.mostHeap })},
	{"heap/maximum size", "the same", number(func(s *snapshot) uint64 { return s.mostHeap })},
}

func overloaded(s *snapshot) string {
	level := s.pressure.Level
	if s.pressure.DiskFull {
		level = max(level, core.LevelShed)
	}
	return strconv.Itoa(int(level))
}

func connected(s *snapshot) uint64 { return s.all.connected }
func offline(s *snapshot) uint64   { return uint64(s.core.Offline) }
func stored(s *snapshot) uint64    { return uint64(s.core.QueueMessages + s.core.Retained) }

// averaged have a topic for each window below load/.
var averaged = []measure{
	{"connections", "logins", func(s *snapshot) uint64 { return s.all.logins }},
	{"sockets", "accepted connections", func(s *snapshot) uint64 { return s.all.sockets }},
	{"messages/received", "what `messages/received` counts", func(s *snapshot) uint64 { return s.all.packets[adapters.In] }},
	{"messages/sent", "what `messages/sent` counts", func(s *snapshot) uint64 { return s.all.packets[adapters.Out] }},
	{"bytes/received", "what `bytes/received` counts", func(s *snapshot) uint64 { return s.all.bytes[adapters.In] }},
	{"bytes/sent", "what `bytes/sent` counts", func(s *snapshot) uint64 { return s.all.bytes[adapters.Out] }},
	{"publish/received", "what `publish/messages/received` counts", func(s *snapshot) uint64 { return s.all.messages[adapters.In] }},
	{"publish/sent", "what `publish/messages/sent` counts", func(s *snapshot) uint64 { return s.all.messages[adapters.Out] }},
	{"publish/dropped", "what `publish/messages/dropped` counts", func(s *snapshot) uint64 { return s.dropped }},
}

// perProtocol are the topics that each protocol has below entrepot/PROTOCOL/.
var perProtocol = []struct {
	name, about string
	read        func(f *flow) uint64
}{
	{"clients/connected", "its connected clients or peers", func(f *flow) uint64 { return f.connected }},
	{"messages/received", "its packets, frames or messages of any kind", func(f *flow) uint64 { return f.packets[adapters.In] }},
	{"messages/sent", "the same, sent", func(f *flow) uint64 { return f.packets[adapters.Out] }},
	{"bytes/received", "bytes that were received", func(f *flow) uint64 { return f.bytes[adapters.In] }},
	{"bytes/sent", "the same, sent", func(f *flow) uint64 { return f.bytes[adapters.Out] }},
	{"publish/messages/received", "messages that its publishers sent", func(f *flow) uint64 { return f.messages[adapters.In] }},
	{"publish/messages/sent", "messages that were sent to its receivers", func(f *flow) uint64 { return f.messages[adapters.Out] }},
	{"publish/bytes/received", "bytes of the payloads that its publishers sent", func(f *flow) uint64 { return f.payload[adapters.In] }},
	{"publish/bytes/sent", "bytes of the payloads that were sent to its receivers", func(f *flow) uint64 { return f.payload[adapters.Out] }},
}

// mqttPackets are the packets of MQTT, with the directions that each can have.
var mqttPackets = []struct{ name, directions string }{
	{"connect", "received"}, {"connack", "sent"}, {"publish", "received sent"}, {"puback", "received sent"}, {"pubrec", "received sent"},
	{"pubrel", "received sent"}, {"pubcomp", "received sent"}, {"subscribe", "received"}, {"suback", "sent"}, {"unsubscribe", "received"},
	{"unsuback", "sent"}, {"pingreq", "received"}, {"pingresp", "sent"}, {"disconnect", "received sent"}, {"auth", "received sent"},
}

var directions = map[string]int{"received": adapters.In, "sent": adapters.Out}

// topics are all topics but the averages.
func topics(protocols []string) []value {
	all := append([]value(nil), values...)
	for _, p := range mqttPackets {
		for _, word := range strings.Fields(p.directions) {
			all = append(all, value{name: "mqtt/" + p.name + "/" + word, read: number(func(s *snapshot) uint64 {
				if n := s.packets[p.name]; n != nil {
					return n[directions[word]]
				}
				return 0
			})})
		}
	}
	for _, protocol := range protocols {
		for _, v := range perProtocol {
			all = append(all, value{name: "entrepot/" + protocol + "/" + v.name, read: number(func(s *snapshot) uint64 { return v.read(s.flows[protocol]) })})
		}
	}
	return all
}
