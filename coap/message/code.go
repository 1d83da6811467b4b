package message

import "fmt"

// Code is the c.dd of the header: three bits of class, five of detail
// (RFC 7252, section 3).
type Code uint8

// Methods and response codes (RFC 7252, section 12.1; RFC 7959, section 2.9;
// RFC 8132, section 6; RFC 8516, section 5; RFC 8768, section 6).
const (
	Empty  Code = 0
	GET    Code = 0<<5 | 1
	POST   Code = 0<<5 | 2
	PUT    Code = 0<<5 | 3
	DELETE Code = 0<<5 | 4
	FETCH  Code = 0<<5 | 5
	PATCH  Code = 0<<5 | 6
	IPATCH Code = 0<<5 | 7

	Created  Code = 2<<5 | 1
	Deleted  Code = 2<<5 | 2
	Valid    Code = 2<<5 | 3
	Changed  Code = 2<<5 | 4
	Content  Code = 2<<5 | 5
	Continue Code = 2<<5 | 31

	BadRequest               Code = 4<<5 | 0
	Unauthorized             Code = 4<<5 | 1
	BadOption                Code = 4<<5 | 2
	Forbidden                Code = 4<<5 | 3
	NotFound                 Code = 4<<5 | 4
	MethodNotAllowed         Code = 4<<5 | 5
	NotAcceptable            Code = 4<<5 | 6
	RequestEntityIncomplete  Code = 4<<5 | 8
	Conflict                 Code = 4<<5 | 9
	PreconditionFailed       Code = 4<<5 | 12
	RequestEntityTooLarge    Code = 4<<5 | 13
	UnsupportedContentFormat Code = 4<<5 | 15
	UnprocessableEntity      Code = 4<<5 | 22
	TooManyRequests          Code = 4<<5 | 29

	InternalServerError  Code = 5<<5 | 0
	NotImplemented       Code = 5<<5 | 1
	BadGateway           Code = 5<<5 | 2
	ServiceUnavailable   Code = 5<<5 | 3
	GatewayTimeout       Code = 5<<5 | 4
	ProxyingNotSupported Code = 5<<5 | 5
	HopLimitReached      Code = 5<<5 | 8
)

var codeNames = map[Code]string{
	Empty: "Empty", GET: "GET", POST: "POST", PUT: "PUT", DELETE: "DELETE",
	FETCH: "FETCH", PATCH: "PATCH", IPATCH: "iPATCH",
	Created: "Created", Deleted: "Deleted", Valid: "Valid", Changed: "Changed",
	Content: "Content", Continue: "Continue",
	BadRequest: "Bad Request", Unauthorized: "Unauthorized", BadOption: "Bad Option",
	Forbidden: "Forbidden", NotFound: "Not Found", MethodNotAllowed: "Method Not Allowed",
	NotAcceptable: "Not Acceptable", RequestEntityIncomplete: "Request Entity Incomplete",
	Conflict: "Conflict", PreconditionFailed: "Precondition Failed",
	RequestEntityTooLarge:    "Request Entity Too Large",
	UnsupportedContentFormat: "Unsupported Content-Format",
	UnprocessableEntity:      "Unprocessable Entity", TooManyRequests: "Too Many Requests",
	InternalServerError: "Internal Server Error", NotImplemented: "Not Implemented",
	BadGateway: "Bad Gateway", ServiceUnavailable: "Service Unavailable",
	GatewayTimeout: "Gateway Timeout", ProxyingNotSupported: "Proxying Not Supported",
	HopLimitReached: "Hop Limit Reached",
}

// Class returns the c of c.dd, 0 to 7.
func (c Code) Class() uint8 { return uint8(c >> 5) }

// Detail returns the dd of c.dd, 0 to 31.
func (c Code) Detail() uint8 { return uint8(c & 0x1f) }

// IsRequest reports whether c is a method: class 0 and not Empty.
func (c Code) IsRequest() bool { return c != Empty && c.Class() == 0 }

// IsResponse reports whether c is in the classes 2 to 5.
func (c Code) IsResponse() bool { return c.Class() >= 2 && c.Class() <= 5 }

// Name returns the registered name, or "" for a code without one.
func (c Code) Name() string { return codeNames[c] }

// Dotted returns c.dd alone: "2.05".
func (c Code) Dotted() string { return fmt.Sprintf("%d.%02d", c.Class(), c.Detail()) }

func (c Code) String() string {
	if n := c.Name(); n != "" {
		return c.Dotted() + " " + n
	}
	return c.Dotted()
}
