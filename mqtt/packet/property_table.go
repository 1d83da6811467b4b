package packet

// PropID is a property identifier. MQTT 5.0, 2.2.2.2.
type PropID byte

// The properties, named as the specification names them.
const (
	PayloadFormatIndicator PropID = 0x01
	MessageExpiryInterval  PropID = 0x02
	ContentType            PropID = 0x03
	ResponseTopic          PropID = 0x08
	CorrelationData        PropID = 0x09
	SubscriptionIdentifier PropID = 0x0B
	SessionExpiryInterval  PropID = 0x11
	AssignedClientID       PropID = 0x12
	ServerKeepAlive        PropID = 0x13
	AuthenticationMethod   PropID = 0x15
	AuthenticationData     PropID = 0x16
	RequestProblemInfo     PropID = 0x17
	WillDelayInterval      PropID = 0x18
	RequestResponseInfo    PropID = 0x19
	ResponseInformation    PropID = 0x1A
	ServerReference        PropID = 0x1C
	ReasonString           PropID = 0x1F
	ReceiveMaximum         PropID = 0x21
	TopicAliasMaximum      PropID = 0x22
	TopicAlias             PropID = 0x23
	MaximumQoS             PropID = 0x24
	RetainAvailable        PropID = 0x25
	UserProperty           PropID = 0x26
	MaximumPacketSize      PropID = 0x27
	WildcardAvailable      PropID = 0x28
	SubscriptionIDAvail    PropID = 0x29
	SharedAvailable        PropID = 0x2A

	propIDs = 0x2B
)

// String returns the specification's name of the property.
func (id PropID) String() string {
	if id < propIDs && properties[id].name != "" {
		return properties[id].name
	}
	return "unknown property"
}

// shape is how a property's value is encoded.
type shape byte

const (
	aByte shape = iota
	aU16
	aU32
	aVarint
	aString
	aBinary
	aPair
)

// A propRow says where a property may stand, how often, and which values it
// may have. most is the largest value of a number; 0 leaves it to its type.
type propRow struct {
	name    string
	shape   shape
	in      places
	many    places // where it may stand more than once
	foreign places // where it is known but this sender may not send it: 0x82, not 0x81
	nonZero bool
	most    uint32
}

const inAll = 1<<16 - 1

// properties is table 2-4 of MQTT 5.0, with the values of chapter 3.
var properties = [propIDs]propRow{
	PayloadFormatIndicator: {name: "Payload Format Indicator", shape: aByte, in: inPublish | inWill, most: 1},
	MessageExpiryInterval:  {name: "Message Expiry Interval", shape: aU32, in: inPublish | inWill},
	ContentType:            {name: "Content Type", shape: aString, in: inPublish | inWill},
	ResponseTopic:          {name: "Response Topic", shape: aString, in: inPublish | inWill},
	CorrelationData:        {name: "Correlation Data", shape: aBinary, in: inPublish | inWill},
	SubscriptionIdentifier: {name: "Subscription Identifier", shape: aVarint, in: inPublishS | inSubscribe, many: inPublishS, foreign: inPublishC, nonZero: true},
	SessionExpiryInterval:  {name: "Session Expiry Interval", shape: aU32, in: inConnect | inConnack | inDisconnectC, foreign: inDisconnectS},
	AssignedClientID:       {name: "Assigned Client Identifier", shape: aString, in: inConnack},
	ServerKeepAlive:        {name: "Server Keep Alive", shape: aU16, in: inConnack},
	AuthenticationMethod:   {name: "Authentication Method", shape: aString, in: inConnect | inConnack | inAuth},
	AuthenticationData:     {name: "Authentication Data", shape: aBinary, in: inConnect | inConnack | inAuth},
	RequestProblemInfo:     {name: "Request Problem Information", shape: aByte, in: inConnect, most: 1},
	WillDelayInterval:      {name: "Will Delay Interval", shape: aU32, in: inWill},
	RequestResponseInfo:    {name: "Request Response Information", shape: aByte, in: inConnect, most: 1},
	ResponseInformation:    {name: "Response Information", shape: aString, in: inConnack},
	ServerReference:        {name: "Server Reference", shape: aString, in: inConnack | inDisconnectS},
	ReasonString:           {name: "Reason String", shape: aString, in: inConnack | inAck | inSuback | inUnsuback | inDisconnect | inAuth},
	ReceiveMaximum:         {name: "Receive Maximum", shape: aU16, in: inConnect | inConnack, nonZero: true},
	TopicAliasMaximum:      {name: "Topic Alias Maximum", shape: aU16, in: inConnect | inConnack},
	TopicAlias:             {name: "Topic Alias", shape: aU16, in: inPublish},
	MaximumQoS:             {name: "Maximum QoS", shape: aByte, in: inConnack, most: 1},
	RetainAvailable:        {name: "Retain Available", shape: aByte, in: inConnack, most: 1},
	UserProperty:           {name: "User Property", shape: aPair, in: inAll, many: inAll},
	MaximumPacketSize:      {name: "Maximum Packet Size", shape: aU32, in: inConnect | inConnack, nonZero: true},
	WildcardAvailable:      {name: "Wildcard Subscription Available", shape: aByte, in: inConnack, most: 1},
	SubscriptionIDAvail:    {name: "Subscription Identifier Available", shape: aByte, in: inConnack, most: 1},
	SharedAvailable:        {name: "Shared Subscription Available", shape: aByte, in: inConnack, most: 1},
}
