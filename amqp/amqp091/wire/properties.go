package wire

import "encoding/binary"

// Flag is the bit of a basic property (specification 4.2.6.1).
type Flag uint16

// Flags of the basic properties, in the order of their values.
const (
	FlagContentType     Flag = 0x8000
	FlagContentEncoding Flag = 0x4000
	FlagHeaders         Flag = 0x2000
	FlagDeliveryMode    Flag = 0x1000
	FlagPriority        Flag = 0x0800
	FlagCorrelationID   Flag = 0x0400
	FlagReplyTo         Flag = 0x0200
	FlagExpiration      Flag = 0x0100
	FlagMessageID       Flag = 0x0080
	FlagTimestamp       Flag = 0x0040
	FlagType            Flag = 0x0020
	FlagUserID          Flag = 0x0010
	FlagAppID           Flag = 0x0008
	FlagClusterID       Flag = 0x0004
)

// Properties are those of class basic. A property is there when its flag is
// set, so an empty value differs from none; octets are views when parsed.
type Properties struct {
	Flags           Flag
	DeliveryMode    uint8
	Priority        uint8
	Timestamp       uint64 // seconds since 1970
	ContentType     []byte
	ContentEncoding []byte
	Headers         Table
	CorrelationID   []byte
	ReplyTo         []byte
	Expiration      []byte // milliseconds, decimal text
	MessageID       []byte
	Type            []byte
	UserID          []byte
	AppID           []byte
	ClusterID       []byte
}

// Has reports whether all of the flags are set.
func (p *Properties) Has(f Flag) bool { return p.Flags&f == f }

// args walks the values in the order of section 2.2.
func (p *Properties) args(a *args) {
	view := func(f Flag, v *[]byte) {
		if p.Flags&f != 0 {
			a.shortView(v)
		}
	}
	octet := func(f Flag, v *uint8) {
		if p.Flags&f != 0 {
			a.octet(v)
		}
	}
	view(FlagContentType, &p.ContentType)
	view(FlagContentEncoding, &p.ContentEncoding)
	if p.Flags&FlagHeaders != 0 {
		a.table(&p.Headers)
	}
	octet(FlagDeliveryMode, &p.DeliveryMode)
	octet(FlagPriority, &p.Priority)
	view(FlagCorrelationID, &p.CorrelationID)
	view(FlagReplyTo, &p.ReplyTo)
	view(FlagExpiration, &p.Expiration)
	view(FlagMessageID, &p.MessageID)
	if p.Flags&FlagTimestamp != 0 {
		a.longlong(&p.Timestamp)
	}
	view(FlagType, &p.Type)
	view(FlagUserID, &p.UserID)
	view(FlagAppID, &p.AppID)
	view(FlagClusterID, &p.ClusterID)
}

// Parse reads flags and values; p is overwritten. Errors: *Error 501 for a
// second flags word (none is defined), 502, io.ErrUnexpectedEOF.
func (p *Properties) Parse(b []byte) error {
	*p = Properties{}
	a := reader(b)
	var flags uint16
	a.short(&flags)
	if flags&1 != 0 {
		return frameError("a second word of property flags")
	}
	p.Flags = Flag(flags &^ 2) // bit 1 is unused
	p.args(&a)
	return a.end()
}

// AppendTo appends flags and values.
func (p *Properties) AppendTo(dst []byte) []byte {
	a := writer(binary.BigEndian.AppendUint16(dst, uint16(p.Flags)))
	p.args(&a)
	return a.buf
}
