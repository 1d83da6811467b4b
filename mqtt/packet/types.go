package packet

import "fmt"

// Version is a protocol level as CONNECT carries it.
type Version byte

// The protocol levels. MQTT 5.0, 3.1.2.2.
const (
	V31  Version = 3
	V311 Version = 4
	V5   Version = 5
)

// String returns the version's name as people write it.
func (v Version) String() string {
	switch v {
	case V31:
		return "3.1"
	case V311:
		return "3.1.1"
	case V5:
		return "5.0"
	}
	return fmt.Sprintf("level %d", byte(v))
}

// Side says who sent a packet.
type Side byte

// The two ends of a connection.
const (
	Client Side = iota
	Server
)

// Type is a control packet type. MQTT 5.0, 2.1.2.
type Type byte

// The control packet types.
const (
	CONNECT     Type = 1
	CONNACK     Type = 2
	PUBLISH     Type = 3
	PUBACK      Type = 4
	PUBREC      Type = 5
	PUBREL      Type = 6
	PUBCOMP     Type = 7
	SUBSCRIBE   Type = 8
	SUBACK      Type = 9
	UNSUBSCRIBE Type = 10
	UNSUBACK    Type = 11
	PINGREQ     Type = 12
	PINGRESP    Type = 13
	DISCONNECT  Type = 14
	AUTH        Type = 15
)

var typeNames = [16]string{
	"Reserved", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP",
	"SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH",
}

// String returns the name that the specification uses.
func (t Type) String() string { return typeNames[t&15] }

// Rules are the limits and choices that parsing obeys. The zero value parses
// what a client sends, within the default limits.
type Rules struct {
	From          Side // who sent the packets
	StrictUTF8    bool // refuse control characters and non-characters in every string (MQTT 5.0, 1.5.4)
	MaxProperties int  // properties in one packet; 0 means 256
	MaxPropBytes  int  // bytes of properties in one packet; 0 means 64 KiB
}

var defaultRules Rules

func (r *Rules) orDefault() *Rules {
	if r == nil {
		return &defaultRules
	}
	return r
}

func (r *Rules) maxProperties() int {
	if r.MaxProperties > 0 {
		return r.MaxProperties
	}
	return 256
}

func (r *Rules) maxPropBytes() int {
	if r.MaxPropBytes > 0 {
		return r.MaxPropBytes
	}
	return 64 << 10
}

// A Packet is any control packet: a pointer to one of this package's structs.
type Packet interface {
	// Parse reads the body of a packet whose header carried flags.
	Parse(r *Rules, v Version, flags byte, body []byte) error
	// AppendTo appends the whole packet, header included.
	AppendTo(dst []byte, v Version) []byte
	// Kind returns the packet's type.
	Kind() Type
}

// New returns an empty packet of type t, nil for type 0.
func New(t Type) Packet {
	switch t {
	case CONNECT:
		return new(Connect)
	case CONNACK:
		return new(Connack)
	case PUBLISH:
		return new(Publish)
	case PUBACK, PUBREC, PUBREL, PUBCOMP:
		return &Ack{Type: t}
	case SUBSCRIBE:
		return new(Subscribe)
	case SUBACK:
		return new(Suback)
	case UNSUBSCRIBE:
		return new(Unsubscribe)
	case UNSUBACK:
		return new(Unsuback)
	case PINGREQ, PINGRESP:
		return &Ping{Type: t}
	case DISCONNECT:
		return new(Disconnect)
	case AUTH:
		return new(Auth)
	}
	return nil
}
