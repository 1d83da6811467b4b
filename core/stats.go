package core

import (
	"maps"
	"slices"
)

// DropCause is why a message was dropped.
type DropCause uint8

// The causes.
const (
	DropQueueFull  DropCause = iota // a limit that is named in the configuration
	DropExpired                     // its time was over
	DropDenied                      // the receiver may not read it any more
	DropNoReceiver                  // nobody matched, or nobody was there for QoS 0
	DropCoalesced                   // a newer value replaced it
	DropRejected                    // a consumer rejected it and no dead-letter queue is set
	DropShed                        // overload, and the receiver lagged
	dropCauses
)

// String is the label of the metric.
func (c DropCause) String() string {
	return [...]string{"queue_full", "expired", "acl", "no_subscriber", "coalesced", "rejected", "shed"}[c]
}

func (r *Router) drop(c DropCause) { r.dropped[c].Add(1) }

// Dropped is how many messages were dropped for a cause.
func (r *Router) Dropped(c DropCause) uint64 { return r.dropped[c].Load() }

// NamespaceStats are the gauges of one namespace.
type NamespaceStats struct {
	Name          string
	Connected     int // sessions with a connection, transient ones not counted
	Offline       int
	Subscriptions int
	Retained      int // without System
	RetainedBytes int64
	System        int // retained messages of the gateway itself
	Queues        int
	Groups        int // of shared subscriptions
	Members       int // of them
	Delayed       int // messages that wait for their time
	DelayedBytes  int64
	QueueMessages int
	QueueBytes    int64
	InFlight      int
}

// Add adds the numbers of another namespace.
func (s *NamespaceStats) Add(n *NamespaceStats) {
	s.Connected += n.Connected
	s.Offline += n.Offline
	s.Subscriptions += n.Subscriptions
	s.Retained += n.Retained
	s.RetainedBytes += n.RetainedBytes
	s.System += n.System
	s.Queues += n.Queues
	s.Groups += n.Groups
	s.Members += n.Members
	s.Delayed += n.Delayed
	s.DelayedBytes += n.DelayedBytes
	s.QueueMessages += n.QueueMessages
	s.QueueBytes += n.QueueBytes
	s.InFlight += n.InFlight
}

// Stats is a snapshot of the router's counters and gauges.
type Stats struct {
	Dropped     map[DropCause]uint64
	Takeovers   uint64
	Expired     uint64 // sessions that ended by time
	Orphans     uint64 // records that were removed because they referred to something that is not there, or were missing themselves
	StoreFailed bool
	Namespaces  []NamespaceStats
}

// Stats counts what there is. It locks each session and queue for a moment, one at
// a time, and holds up nobody: what changes meanwhile may be counted or not.
func (r *Router) Stats() Stats {
	s := Stats{Dropped: map[DropCause]uint64{}, Takeovers: r.takeover.Load(), Expired: r.expired.Load(), Orphans: r.orphans + r.missing.Load(), StoreFailed: r.StoreFailed()}
	for c := range dropCauses {
		s.Dropped[c] = r.dropped[c].Load()
	}
	for _, ns := range r.allNamespaces() {
		s.Namespaces = append(s.Namespaces, ns.stats())
	}
	return s
}

func (ns *Namespace) stats() NamespaceStats {
	s := NamespaceStats{Name: ns.name, Subscriptions: ns.index.Len(), RetainedBytes: ns.retainedBytes.Load(), System: int(ns.system.Load())}
	s.Retained = max(0, ns.retained.Len()-s.System)
	s.Delayed, s.DelayedBytes = ns.delayed.size()
	ns.walkSessions(func(st *session) {
		st.mu.Lock()
		connected, inbox := st.current != nil, st.inbox
		st.mu.Unlock()
		if connected {
			s.Connected++
		} else {
			s.Offline++
		}
		if inbox != nil {
			s.add(inbox)
		}
	})
	ns.mu.Lock()
	queues, groups := slices.Collect(maps.Values(ns.queues)), slices.Collect(maps.Values(ns.groups))
	ns.mu.Unlock()
	s.Queues, s.Groups = len(queues), len(groups)
	for _, q := range queues {
		s.add(q)
	}
	for _, q := range groups {
		s.Members += s.add(q)
	}
	return s
}

// add counts what a queue holds, and returns how many consumers it has.
func (s *NamespaceStats) add(q *Queue) (consumers int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s.QueueMessages += q.count
	s.InFlight += int(q.inflight)
	s.QueueBytes += q.bytes
	return len(q.consumers)
}
