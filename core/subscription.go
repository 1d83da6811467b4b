package core

// Subscription joins a filter to a queue.
type Subscription struct {
	Filter            string // canonical; "$share/GROUP/FILTER" and "$queue/NAME" are understood by Session.Subscribe
	ID                uint32 // MQTT's Subscription Identifier; 0: none
	QoS               uint8  // maximum QoS of deliveries
	NoLocal           bool   // not what the same session published
	RetainAsPublished bool   // keep the publisher's retain flag on live messages
	RetainHandling    uint8  // 0: send retained; 1: only if the subscription is new; 2: never
	Wide              bool   // '#' may stand at any level (AMQP bindings, STOMP's dot style)
}

// Grant answers one Subscription.
type Grant struct {
	Reason  Reason // OK, or why it was refused
	QoS     uint8  // granted maximum QoS
	Existed bool   // the filter was subscribed before and its options were replaced
}

// Delivery is a message on its way to one consumer.
type Delivery struct {
	Message  *Message
	Consumer *Consumer // whom to settle it with
	IDs      []uint32  // subscription identifiers that matched; not to be changed
	Seq      uint64    // identity within the consumer's queue, for Settle
	Tag      uint32    // what Consumer.Tag stored for this delivery; 0: nothing yet
	Attempt  uint16    // 1 at the first delivery
	QoS      uint8     // min(message, subscription); 0 is settled already, unless the consumer is AckAll
	Retain   bool      // the retain flag to send
	Stored   bool      // comes from the retained messages, because of a new subscription
	Received bool      // QoS 2: the first half is done (PUBREC seen), only the release is to be repeated
}

// Redelivered tells that the message may have been seen before.
func (d *Delivery) Redelivered() bool { return d.Attempt > 1 }

// Outcome is how a delivery ended.
type Outcome uint8

// The outcomes.
const (
	Accepted Outcome = iota // done
	Received                // QoS 2's first half: done but for the release; stays with the consumer
	Released                // give it to another consumer, or again to this one
	Rejected                // never again: to the dead-letter queue where there is one, else dropped
)
