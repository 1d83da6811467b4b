package packet

// MaxNodeID is the longest wireless node id, in octets: its header has a
// length field of one octet.
const MaxNodeID = 252

// Forward is FRWDENCAP (section 5.5): a packet of a node behind a forwarder.
//
//	| Length | 0xFE | Ctrl(radius in bits 1..0) | WirelessNodeId(n) | complete packet |
//
// Length is 3+n: it excludes the packet inside.
type Forward struct {
	Radius uint8 // 0..3
	Node   []byte
	Inner  []byte // one complete packet
}

// ParseForward reads a datagram of type FRWDENCAP. It reports ErrForwarder for
// an empty, nested or malformed packet inside.
func ParseForward(datagram []byte) (p Forward, err error) {
	if len(datagram) < 3 || datagram[0] < 3 || int(datagram[0]) > len(datagram) {
		return p, ErrForwarder
	}
	n := int(datagram[0])
	p = Forward{datagram[2] & 3, datagram[3:n:n], datagram[n:]}
	if t, _, err := Open(p.Inner); err != nil || t == FRWDENCAP {
		return p, ErrForwarder
	}
	return p, nil
}

// Type implements Packet.
func (p Forward) Type() Type { return FRWDENCAP }

// Len includes the packet inside.
func (p Forward) Len() int { return 3 + len(p.Node) + len(p.Inner) }

// AppendTo implements Packet.
func (p Forward) AppendTo(b []byte) []byte {
	return append(AppendForwardHeader(b, p.Radius, p.Node), p.Inner...)
}

// AppendForwardHeader appends the encapsulation alone, for a packet that the
// caller appends after it. The node id has at most MaxNodeID octets.
func AppendForwardHeader(b []byte, radius uint8, node []byte) []byte {
	b = append(b, byte(3+len(node)), byte(FRWDENCAP), radius&3)
	return append(b, node...)
}
