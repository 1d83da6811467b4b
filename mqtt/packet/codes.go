package packet

import "fmt"

// Code is a reason code of MQTT 5.0, 2.4. The return codes of 3.1 and 3.1.1
// share the type where they share the byte.
type Code byte

// The reason codes, named as the specification names them.
const (
	Success                Code = 0x00
	GrantedQoS1            Code = 0x01
	GrantedQoS2            Code = 0x02
	DisconnectWithWill     Code = 0x04
	NoMatchingSubscribers  Code = 0x10
	NoSubscriptionExisted  Code = 0x11
	ContinueAuthentication Code = 0x18
	ReAuthenticate         Code = 0x19

	UnspecifiedError            Code = 0x80
	MalformedPacket             Code = 0x81
	ProtocolError               Code = 0x82
	ImplementationSpecificError Code = 0x83
	UnsupportedProtocolVersion  Code = 0x84
	ClientIdentifierNotValid    Code = 0x85
	BadUserNameOrPassword       Code = 0x86
	NotAuthorized               Code = 0x87
	ServerUnavailable           Code = 0x88
	ServerBusy                  Code = 0x89
	Banned                      Code = 0x8A
	ServerShuttingDown          Code = 0x8B
	BadAuthenticationMethod     Code = 0x8C
	KeepAliveTimeout            Code = 0x8D
	SessionTakenOver            Code = 0x8E
	TopicFilterInvalid          Code = 0x8F
	TopicNameInvalid            Code = 0x90
	PacketIdentifierInUse       Code = 0x91
	PacketIdentifierNotFound    Code = 0x92
	ReceiveMaximumExceeded      Code = 0x93
	TopicAliasInvalid           Code = 0x94
	PacketTooLarge              Code = 0x95
	MessageRateTooHigh          Code = 0x96
	QuotaExceeded               Code = 0x97
	AdministrativeAction        Code = 0x98
	PayloadFormatInvalid        Code = 0x99
	RetainNotSupported          Code = 0x9A
	QoSNotSupported             Code = 0x9B
	UseAnotherServer            Code = 0x9C
	ServerMoved                 Code = 0x9D
	SharedSubscriptionsNotSup   Code = 0x9E
	ConnectionRateExceeded      Code = 0x9F
	MaximumConnectTime          Code = 0xA0
	SubscriptionIDsNotSupported Code = 0xA1
	WildcardNotSupported        Code = 0xA2
)

// The return codes of CONNACK in 3.1 and 3.1.1 (3.1.1, table 3.1), and the
// failure of SUBACK in 3.1.1.
const (
	Accepted3            Code = 0
	UnacceptableVersion3 Code = 1
	IdentifierRejected3  Code = 2
	ServerUnavailable3   Code = 3
	BadUserPassword3     Code = 4
	NotAuthorized3       Code = 5
	SubackFailure3       Code = 0x80
)

// places is a set of packets with their sender, for the tables of codes and
// of properties.
type places uint32

const (
	inConnect places = 1 << iota
	inWill
	inConnack
	inPublishC // from a client
	inPublishS // from a server
	inPuback   // PUBACK and PUBREC
	inPubackS  // those from a server
	inPubrel   // PUBREL and PUBCOMP
	inSubscribe
	inSuback
	inUnsubscribe
	inUnsuback
	inDisconnectC
	inDisconnectS
	inAuthC
	inAuthS

	inAck        = inPuback | inPubrel
	inPublish    = inPublishC | inPublishS
	inDisconnect = inDisconnectC | inDisconnectS
	inAuth       = inAuthC | inAuthS
)

type codeRow struct {
	name string
	in   places
}

const (
	kd   = inConnack | inDisconnect
	kds  = inConnack | inDisconnectS
	sds  = inSuback | inDisconnectS
	kasd = inConnack | inPuback | inSuback | inDisconnect
)

// codes is table 2-6 of MQTT 5.0: where a code may stand.
var codes = [0xA3]codeRow{
	Success:                {"Success", inConnack | inAck | inSuback | inUnsuback | inDisconnect | inAuthS},
	GrantedQoS1:            {"Granted QoS 1", inSuback},
	GrantedQoS2:            {"Granted QoS 2", inSuback},
	DisconnectWithWill:     {"Disconnect with Will Message", inDisconnectC},
	NoMatchingSubscribers:  {"No matching subscribers", inPubackS},
	NoSubscriptionExisted:  {"No subscription existed", inUnsuback},
	ContinueAuthentication: {"Continue authentication", inAuth},
	ReAuthenticate:         {"Re-authenticate", inAuthC},

	UnspecifiedError:            {"Unspecified error", kasd | inUnsuback},
	MalformedPacket:             {"Malformed Packet", kd},
	ProtocolError:               {"Protocol Error", kd},
	ImplementationSpecificError: {"Implementation specific error", kasd | inUnsuback},
	UnsupportedProtocolVersion:  {"Unsupported Protocol Version", inConnack},
	ClientIdentifierNotValid:    {"Client Identifier not valid", inConnack},
	BadUserNameOrPassword:       {"Bad User Name or Password", inConnack},
	NotAuthorized:               {"Not authorized", inConnack | inPuback | inSuback | inUnsuback | inDisconnectS},
	ServerUnavailable:           {"Server unavailable", inConnack},
	ServerBusy:                  {"Server busy", kds},
	Banned:                      {"Banned", inConnack},
	ServerShuttingDown:          {"Server shutting down", inDisconnectS},
	BadAuthenticationMethod:     {"Bad authentication method", inConnack},
	KeepAliveTimeout:            {"Keep Alive timeout", inDisconnectS},
	SessionTakenOver:            {"Session taken over", inDisconnectS},
	TopicFilterInvalid:          {"Topic Filter invalid", sds | inUnsuback},
	TopicNameInvalid:            {"Topic Name invalid", inConnack | inPuback | inDisconnect},
	PacketIdentifierInUse:       {"Packet Identifier in use", inPuback | inSuback | inUnsuback},
	PacketIdentifierNotFound:    {"Packet Identifier not found", inPubrel},
	ReceiveMaximumExceeded:      {"Receive Maximum exceeded", inDisconnect},
	TopicAliasInvalid:           {"Topic Alias invalid", inDisconnect},
	PacketTooLarge:              {"Packet too large", kd},
	MessageRateTooHigh:          {"Message rate too high", inDisconnect},
	QuotaExceeded:               {"Quota exceeded", kasd},
	AdministrativeAction:        {"Administrative action", inDisconnect},
	PayloadFormatInvalid:        {"Payload format invalid", inConnack | inPuback | inDisconnect},
	RetainNotSupported:          {"Retain not supported", kds},
	QoSNotSupported:             {"QoS not supported", kds},
	UseAnotherServer:            {"Use another server", kds},
	ServerMoved:                 {"Server moved", kds},
	SharedSubscriptionsNotSup:   {"Shared Subscriptions not supported", sds},
	ConnectionRateExceeded:      {"Connection rate exceeded", kds},
	MaximumConnectTime:          {"Maximum connect time", inDisconnectS},
	SubscriptionIDsNotSupported: {"Subscription Identifiers not supported", sds},
	WildcardNotSupported:        {"Wildcard Subscriptions not supported", sds},
}

// String returns the specification's name of the code.
func (c Code) String() string {
	if int(c) < len(codes) && codes[c].name != "" {
		return codes[c].name
	}
	return fmt.Sprintf("unknown reason code 0x%02x", byte(c))
}

// Failed reports whether the code is an error: 0x80 and above.
func (c Code) Failed() bool { return c >= 0x80 }

// ValidIn reports whether the specification lets side from send the code in a
// packet of type t of MQTT 5.0. [MQTT-3.2.2-8] [MQTT-3.4.2-1] [MQTT-3.5.2-1]
// [MQTT-3.6.2-1] [MQTT-3.7.2-1] [MQTT-3.9.3-2] [MQTT-3.11.3-2] [MQTT-3.14.2-1]
// [MQTT-3.15.2-1]
func (c Code) ValidIn(t Type, from Side) bool { return c.validIn(placeOf(t, from)) }

func (c Code) validIn(p places) bool { return int(c) < len(codes) && codes[c].in&p != 0 }

// placeOf returns the row of a packet in the tables, 0 where it has none.
func placeOf(t Type, from Side) places {
	server := from == Server
	switch t {
	case CONNECT:
		return inConnect
	case CONNACK:
		return inConnack
	case PUBLISH:
		return pick(server, inPublishS, inPublishC)
	case PUBACK, PUBREC:
		return pick(server, inPuback|inPubackS, inPuback)
	case PUBREL, PUBCOMP:
		return inPubrel
	case SUBSCRIBE:
		return inSubscribe
	case SUBACK:
		return inSuback
	case UNSUBSCRIBE:
		return inUnsubscribe
	case UNSUBACK:
		return inUnsuback
	case DISCONNECT:
		return pick(server, inDisconnectS, inDisconnectC)
	case AUTH:
		return pick(server, inAuthS, inAuthC)
	}
	return 0
}

func pick(cond bool, yes, no places) places {
	if cond {
		return yes
	}
	return no
}
