package packet

import "fmt"

// An Error is a violation of the wire format. It ends the connection; the
// server says Code in a CONNACK when the packet was a CONNECT and in a
// DISCONNECT otherwise, and closes without a word when Silent is set or when
// the version has no such packet.
type Error struct {
	Code   Code   // what the peer is told
	Rule   string // the violated rule, in our words, fit for a Reason String
	Silent bool   // close without a packet
}

// Error returns the rule and its code.
func (e *Error) Error() string { return fmt.Sprintf("mqtt: %s (0x%02x)", e.Rule, byte(e.Code)) }

func malformed(rule string) *Error { return &Error{Code: MalformedPacket, Rule: rule} }
func protocol(rule string) *Error  { return &Error{Code: ProtocolError, Rule: rule} }
func silent(rule string) *Error {
	return &Error{Code: MalformedPacket, Rule: rule, Silent: true}
}

// All errors are made once: a peer that sends garbage costs no allocation.
var (
	errType       = malformed("MM1 reserved packet type")
	errFlags      = malformed("MM1 reserved flag bits")
	errDirection  = protocol("MM4 packet that this side may not send")
	errLength     = malformed("MM2 remaining length is not a shortest variable byte integer")
	errTooLarge   = &Error{Code: PacketTooLarge, Rule: "MM3 packet above the maximum size"}
	errShort      = malformed("MM2 body shorter than its packet type allows")
	errPast       = malformed("MW1 field runs past the end of its packet")
	errLeft       = malformed("MW2 bytes left over after the last field")
	errVarint     = malformed("MW4 variable byte integer is not the shortest form")
	errUTF8       = malformed("MW5 string is not UTF-8")
	errNUL        = malformed("MW5 string holds U+0000")
	errStrict     = malformed("MW5 string holds a control or non-character")
	errPingBody   = malformed("MM6 ping with a body")
	errAuth3      = &Error{Code: MalformedPacket, Rule: "MM1 packet type 15 before 5.0", Silent: true}
	errPropMany   = &Error{Code: PacketTooLarge, Rule: "MM32 too many properties"}
	errPropBytes  = &Error{Code: PacketTooLarge, Rule: "MM32 properties too long"}
	errPropID     = malformed("MM12 unknown property")
	errPropPlace  = malformed("MM18 property that this packet may not carry")
	errPropTwice  = protocol("MM11 duplicate property")
	errPropValue  = protocol("MM11 property value out of range")
	errPropSender = protocol("MP12 property that this side may not send")
	errAuthData   = protocol("ME1 Authentication Data without a method")
	errAlias0     = &Error{Code: TopicAliasInvalid, Rule: "MM17 Topic Alias 0"}
	errReplyTopic = &Error{Code: TopicNameInvalid, Rule: "MP13 Response Topic is not a topic name"}
	errID0        = protocol("MP2 packet identifier 0")
)
