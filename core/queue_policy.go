package core

import "time"

// Overflow is what a full queue does with one message more.
type Overflow uint8

// The overflow policies.
const (
	OverflowDefault Overflow = iota // DropOldest for sessions and private queues, Reject for named ones
	DropOldest                      // drop the oldest that waits, counted
	DropNewest                      // drop the new one, counted
	RejectNew                       // refuse the publish
	RejectDead                      // refuse the publish, and give the message to the dead letters
)

// QueueLimits bounds a queue. Those that a named queue was declared with count
// what waits; what is in flight besides is bounded by the router's defaults,
// which hold for both together where they are more.
type QueueLimits struct {
	Messages int   // messages that wait or are in flight; 0: the router's default
	Bytes    int64 // sum of Message.Size; 0: the router's default
	Overflow Overflow
}

// QueueSpec describes a named or private queue.
type QueueSpec struct {
	Name         string // "": a private queue that dies with its consumer
	Durable      bool   // survives a restart, with its messages of QoS 1 and 2
	Unnamed      bool   // the name was made up for it, so that nobody else can want it
	Exclusive    bool   // for the declaring connection only, deleted with it
	AutoDelete   bool   // deleted when its last consumer leaves
	SingleActive bool   // only the consumer that has been there longest takes; the others wait for its end
	Latest       bool   // of QoS 0 messages only the newest waits
	Limits       QueueLimits
	TTL          time.Duration // messages live at most that long in the queue, counted anew at a restart; 0: as they say
	IdleExpiry   time.Duration // deleted when empty and unused for that long; 0: never
	ExpiresFull  bool          // by IdleExpiry also with messages that wait, which are dropped: to be unused is enough
	MaxAttempts  int           // more deliveries reject the message; 0: unlimited
	DeadLetter   bool          // rejected messages go to the queue "$dead/NAME"
	DeadRoom     string        // whose Undertaker gets what the queue gives up; "": DeadLetter decides
	DeadTo       string        // where to, in that room's words
	Args         string        // what the protocol that declared it wants compared on redeclaration; opaque
}

// QueueInfo is a snapshot of a queue.
type QueueInfo struct {
	Spec      QueueSpec
	Waiting   int // messages that wait for a consumer
	InFlight  int // delivered, not settled
	Consumers int
	Bytes     int64
}

// ConsumeOptions say how a consumer takes from a queue.
type ConsumeOptions struct {
	QoS       uint8  // maximum QoS of deliveries
	ID        uint32 // subscription identifier that its deliveries carry; 0: none
	NoAck     bool   // every delivery counts as settled when taken
	AckAll    bool   // QoS 0 too stays in flight until it is settled, and counts for the window
	NoLocal   bool   // not what the same session published
	Exclusive bool   // refuse when others consume, and keep others away
	Priority  int    // of those that could take, the highest does
}
