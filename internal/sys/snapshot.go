package sys

import (
	"runtime/metrics"
	"strings"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// snapshot is what one tick has read.
type snapshot struct {
	version  string
	uptime   time.Duration
	core     core.NamespaceStats // the sum of all namespaces
	expired  uint64
	pressure core.Pressure
	dropped  uint64
	heap     uint64
	packets  map[string]*[2]uint64 // of MQTT, by their names in small letters
	all      flow
	flows    map[string]*flow // by protocol

	mostHeap, mostConnected uint64 // that a tick has seen
}

// flow is what one protocol has carried. Pairs are indexed by adapters.In and adapters.Out.
type flow struct {
	sockets   uint64 // connections that were accepted
	logins    uint64
	open      uint64 // connections just now
	connected uint64 // those of them that have logged in
	waiting   uint64 // bytes to be written
	datagrams bool   // they are peers, and have no socket each
	packets   [2]uint64
	bytes     [2]uint64
	messages  [2]uint64
	payload   [2]uint64
}

func (f *flow) add(g *flow) {
	f.logins += g.logins
	f.connected += g.connected
	f.waiting += g.waiting
	if !g.datagrams {
		f.sockets += g.sockets
		f.open += g.open
	}
	for dir := range 2 {
		f.packets[dir] += g.packets[dir]
		f.bytes[dir] += g.bytes[dir]
		f.messages[dir] += g.messages[dir]
		f.payload[dir] += g.payload[dir]
	}
}

// read takes a snapshot.
func (p *Publisher) read() snapshot {
	s := snapshot{version: p.options.Version, uptime: time.Since(p.started), heap: heap(), packets: map[string]*[2]uint64{}, flows: map[string]*flow{}}
	for _, name := range p.options.Protocols {
		s.flows[name] = new(flow)
	}
	s.readCore(p.options.Router)
	s.pressure = p.options.Router.Pressure()
	p.options.Metrics.Counters(s.counter)
	p.options.Metrics.Protocols(s.traffic)
	for _, f := range s.flows {
		s.all.add(f)
	}
	s.mostHeap = max(p.seen.mostHeap, s.heap)
	s.mostConnected = max(p.seen.mostConnected, s.all.connected)
	return s
}

func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func (s *snapshot) readCore(r *core.Router) {
	stats := r.Stats()
	s.expired, s.dropped = stats.Expired, stats.Dropped[core.DropQueueFull]
	for _, n := range stats.Namespaces {
		s.core.Offline += n.Offline
		s.core.Subscriptions += n.Subscriptions
		s.core.Retained += n.Retained
		s.core.RetainedBytes += n.RetainedBytes
		s.core.System += n.System
		s.core.Groups += n.Groups
		s.core.Members += n.Members
		s.core.QueueMessages += n.QueueMessages
		s.core.QueueBytes += n.QueueBytes
		s.core.InFlight += n.InFlight
	}
}

// counter notes one of the counters that loops and rooms keep, by its labels as internal/metrics defines them.
func (s *snapshot) counter(name string, labels [3]string, v uint64) {
	switch name {
	case "mqtt_packets_total":
		s.carried("mqtt", labels[0], v)
		s.packet(strings.ToLower(labels[1]), labels[0], v)
	case "mqttsn_packets_total":
		s.carried("mqttsn", labels[0], v)
	case "stomp_frames_total":
		s.carried("stomp", labels[1], v)
	case "amqp_frames_total":
		s.carried("amqp", labels[0], v)
	case "messages_dropped_total":
		switch labels[1] {
		case "queue_full", "slow_consumer", "shed", "rate":
			s.dropped += v
		}
	}
	f := s.flows[labels[0]]
	if f == nil {
		return
	}
	switch name {
	case "connects_total":
		if labels[1] == "accepted" {
			f.sockets += v
		}
	case "logins_total":
		f.logins += v
	case "bytes_total":
		f.bytes[direction(labels[1])] += v
	case "write_waiting_bytes":
		f.waiting += v
	case "datagrams_total":
		f.datagrams = true
		if labels[0] == "coap" { // a message each
			s.carried("coap", labels[1], v)
		}
	case "connections":
		f.open += v // a gauge: parts may be below zero, the sum is not
		if labels[2] == "auth" {
			f.connected += v
		}
	}
}

func direction(word string) int {
	if word == "out" {
		return adapters.Out
	}
	return adapters.In
}

func (s *snapshot) carried(protocol, dir string, v uint64) {
	if f := s.flows[protocol]; f != nil {
		f.packets[direction(dir)] += v
	}
}

func (s *snapshot) packet(name, dir string, v uint64) {
	if s.packets[name] == nil {
		s.packets[name] = new([2]uint64)
	}
	s.packets[name][direction(dir)] += v
}

func (s *snapshot) traffic(protocol string, t *adapters.Traffic) {
	f := s.flows[protocol]
	if f == nil {
		return
	}
	for dir := range 2 {
		for qos := range t.Messages[dir] {
			f.messages[dir] += t.Messages[dir][qos].Load()
			f.payload[dir] += t.Bytes[dir][qos].Load()
		}
	}
}
