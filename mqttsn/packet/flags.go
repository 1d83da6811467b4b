package packet

// QoS is a quality of service: 0, 1, 2, or -1 for a publish that needs no
// connection (section 5.3.4).
type QoS int8

// TopicKind is the TopicIdType field: how a packet names its topic.
type TopicKind uint8

// The kinds of topic ids.
const (
	Normal       TopicKind = 0 // a registered id; in SUBSCRIBE and UNSUBSCRIBE a topic name
	Predefined   TopicKind = 1
	Short        TopicKind = 2 // the two octets are the name
	ReservedKind TopicKind = 3
)

// Topic ids that no topic has (section 5.3.11).
const (
	NoTopicID  uint16 = 0x0000
	MaxTopicID uint16 = 0xFFFE
)

// ProtocolID is the only value that CONNECT may carry in version 1.2.
const ProtocolID = 0x01

// The Flags octet (section 5.3.4):
//
//	   7     6 5     4       3         2          1 0
//	| DUP |  QoS  | Retain | Will | CleanSession | TopicIdType |
const (
	flagDup    = 0x80
	flagRetain = 0x10
	flagWill   = 0x08
	flagClean  = 0x04
	maskKind   = 0x03
)

func qosOf(f byte) QoS {
	q := QoS(f >> 5 & 3)
	if q == 3 {
		return -1
	}
	return q
}

func (q QoS) bits() byte { return byte(q) & 3 << 5 }

func bit(on bool, flag byte) byte {
	if on {
		return flag
	}
	return 0
}

// ShortName spells a two-octet topic name as the id field carries it. Names of
// one octet do not exist on the wire (section 3: exactly two characters).
func ShortName(name string) (id uint16, ok bool) {
	if len(name) != 2 {
		return 0, false
	}
	return uint16(name[0])<<8 | uint16(name[1]), true
}
