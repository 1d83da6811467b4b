package packet

import "fmt"

// Type is the MsgType field (section 5.2.2, table 3).
type Type uint8

// The message types.
const (
	ADVERTISE     Type = 0x00
	SEARCHGW      Type = 0x01
	GWINFO        Type = 0x02
	AUTH          Type = 0x03 // reserved in version 1.2: an extension
	CONNECT       Type = 0x04
	CONNACK       Type = 0x05
	WILLTOPICREQ  Type = 0x06
	WILLTOPIC     Type = 0x07
	WILLMSGREQ    Type = 0x08
	WILLMSG       Type = 0x09
	REGISTER      Type = 0x0A
	REGACK        Type = 0x0B
	PUBLISH       Type = 0x0C
	PUBACK        Type = 0x0D
	PUBCOMP       Type = 0x0E
	PUBREC        Type = 0x0F
	PUBREL        Type = 0x10
	SUBSCRIBE     Type = 0x12
	SUBACK        Type = 0x13
	UNSUBSCRIBE   Type = 0x14
	UNSUBACK      Type = 0x15
	PINGREQ       Type = 0x16
	PINGRESP      Type = 0x17
	DISCONNECT    Type = 0x18
	WILLTOPICUPD  Type = 0x1A
	WILLTOPICRESP Type = 0x1B
	WILLMSGUPD    Type = 0x1C
	WILLMSGRESP   Type = 0x1D
	FRWDENCAP     Type = 0xFE
)

var typeNames = [...]string{
	ADVERTISE: "ADVERTISE", SEARCHGW: "SEARCHGW", GWINFO: "GWINFO",
	AUTH: "AUTH", CONNECT: "CONNECT", CONNACK: "CONNACK",
	WILLTOPICREQ: "WILLTOPICREQ", WILLTOPIC: "WILLTOPIC",
	WILLMSGREQ: "WILLMSGREQ", WILLMSG: "WILLMSG",
	REGISTER: "REGISTER", REGACK: "REGACK",
	PUBLISH: "PUBLISH", PUBACK: "PUBACK", PUBCOMP: "PUBCOMP", PUBREC: "PUBREC", PUBREL: "PUBREL",
	SUBSCRIBE: "SUBSCRIBE", SUBACK: "SUBACK", UNSUBSCRIBE: "UNSUBSCRIBE", UNSUBACK: "UNSUBACK",
	PINGREQ: "PINGREQ", PINGRESP: "PINGRESP", DISCONNECT: "DISCONNECT",
	WILLTOPICUPD: "WILLTOPICUPD", WILLTOPICRESP: "WILLTOPICRESP",
	WILLMSGUPD: "WILLMSGUPD", WILLMSGRESP: "WILLMSGRESP",
}

// Known reports whether t is a type: the specification defines it, or it is
// AUTH.
func (t Type) Known() bool {
	return t == FRWDENCAP || int(t) < len(typeNames) && typeNames[t] != ""
}

// String is the specification's name, or RESERVED(xx).
func (t Type) String() string {
	switch {
	case t == FRWDENCAP:
		return "FRWDENCAP"
	case t.Known():
		return typeNames[t]
	}
	return fmt.Sprintf("RESERVED(%02x)", uint8(t))
}
