package packet

import "unicode/utf8"

// Reasons of an AUTH packet, with the numbers of MQTT 5.
const (
	AuthSuccess        uint8 = 0x00 // what a client sends whose method has one step
	AuthContinue       uint8 = 0x18
	AuthReauthenticate uint8 = 0x19
)

// PLAIN is the one method that is in use (RFC 4616).
const PLAIN = "PLAIN"

// Auth is AUTH, which version 1.2 has not: bisquitt's extension in a reserved
// type, by which a client shows a user and password beside its CONNECT.
//
//	| Length | 0x03 | Reason | MethodLen | Method(MethodLen) | Data(n) |
type Auth struct {
	Reason uint8
	Method []byte // at most 255 octets
	Data   []byte
}

// ParseAuth reads an AUTH body. Reason and method are the caller's to refuse.
func ParseAuth(b []byte) (p Auth, err error) {
	if len(b) < 2 || len(b) < 2+int(b[1]) {
		return p, ErrLength
	}
	n := 2 + int(b[1])
	if !utf8.Valid(b[2:n]) {
		return p, ErrUTF8
	}
	return Auth{b[0], b[2:n:n], b[n:]}, nil
}

// Type implements Packet.
func (p Auth) Type() Type { return AUTH }

// Len implements Packet.
func (p Auth) Len() int { return size(2 + len(p.Method) + len(p.Data)) }

// AppendTo implements Packet.
func (p Auth) AppendTo(b []byte) []byte {
	b = appendHeader(b, AUTH, 2+len(p.Method)+len(p.Data))
	b = append(b, p.Reason, byte(len(p.Method)))
	return append(append(b, p.Method...), p.Data...)
}

// AppendPlain appends the data of PLAIN: nobody to act for, a user, a password.
func AppendPlain(b []byte, user, password string) []byte {
	return append(append(append(append(b, 0), user...), 0), password...)
}
