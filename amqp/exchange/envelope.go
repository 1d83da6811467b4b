package exchange

import "github.com/entrepot/entrepot/core"

// Protocol is the origin of messages that AMQP clients published, and the
// owner of their envelope.
const Protocol = "amqp"

// Envelope is what an AMQP receiver gets beside the body: where the message
// was published, and its properties. Both stand as on the wire of 0-9-1, so
// that a message of AMQP reaches AMQP octet by octet.
type Envelope struct {
	Place      []byte // exchange:shortstr routing-key:shortstr
	Properties []byte // flags and values
}

// Place appends exchange and routing key, at most 255 octets each.
func Place(dst []byte, exchange, key string) []byte {
	dst = append(append(dst, byte(len(exchange))), exchange...)
	return append(append(dst, byte(len(key))), key...)
}

// AppendTo appends the envelope in one piece.
func (e *Envelope) AppendTo(dst []byte) []byte {
	return append(append(dst, e.Place...), e.Properties...)
}

// Parse reads what AppendTo wrote, as views. False when it is none.
func (e *Envelope) Parse(b []byte) bool {
	n := 0
	for range 2 {
		if len(b) <= n || len(b) < n+1+int(b[n]) {
			return false
		}
		n += 1 + int(b[n])
	}
	if len(b) < n+2 {
		return false
	}
	e.Place, e.Properties = b[:n:n], b[n:]
	return true
}

// Names reads exchange and routing key.
func (e *Envelope) Names() (exchange, key string) {
	n := 1 + int(e.Place[0])
	return string(e.Place[1:n]), string(e.Place[n+1:])
}

// enveloped carries a message's rare fields and its envelope in one
// allocation.
type enveloped struct {
	meta   core.Meta
	native core.Native
}
