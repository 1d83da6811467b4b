package message

import "strconv"

// Number is an option number (RFC 7252, section 5.10 and 12.2).
type Number uint16

// Option numbers.
const (
	IfMatch       Number = 1
	URIHost       Number = 3
	ETag          Number = 4
	IfNoneMatch   Number = 5
	Observe       Number = 6 // RFC 7641
	URIPort       Number = 7
	LocationPath  Number = 8
	OSCORE        Number = 9 // RFC 8613, not supported
	URIPath       Number = 11
	ContentFormat Number = 12
	MaxAge        Number = 14
	URIQuery      Number = 15
	HopLimit      Number = 16 // RFC 8768
	Accept        Number = 17
	QBlock1       Number = 19 // RFC 9177, not supported
	LocationQuery Number = 20
	Block2        Number = 23 // RFC 7959
	Block1        Number = 27 // RFC 7959
	Size2         Number = 28 // RFC 7959
	QBlock2       Number = 31 // RFC 9177, not supported
	ProxyURI      Number = 35
	ProxyScheme   Number = 39
	Size1         Number = 60
	Echo          Number = 252 // RFC 9175
	NoResponse    Number = 258 // RFC 7967
	RequestTag    Number = 292 // RFC 9175
)

// definition is what the tables of the RFCs say of one option.
type definition struct {
	name       string
	min, max   uint16 // length of the value in octets
	repeatable bool
	text       bool // the value must be UTF-8
	unknown    bool // named, but not supported here
}

var definitions = map[Number]definition{
	IfMatch:       {name: "If-Match", max: 8, repeatable: true},
	URIHost:       {name: "Uri-Host", min: 1, max: 255, text: true},
	ETag:          {name: "ETag", min: 1, max: 8, repeatable: true},
	IfNoneMatch:   {name: "If-None-Match"},
	Observe:       {name: "Observe", max: 3},
	URIPort:       {name: "Uri-Port", max: 2},
	LocationPath:  {name: "Location-Path", max: 255, repeatable: true},
	OSCORE:        {name: "OSCORE", max: 255, unknown: true},
	URIPath:       {name: "Uri-Path", max: 255, repeatable: true, text: true},
	ContentFormat: {name: "Content-Format", max: 2},
	MaxAge:        {name: "Max-Age", max: 4},
	URIQuery:      {name: "Uri-Query", max: 255, repeatable: true, text: true},
	HopLimit:      {name: "Hop-Limit", min: 1, max: 1},
	Accept:        {name: "Accept", max: 2},
	QBlock1:       {name: "Q-Block1", max: 3, unknown: true},
	LocationQuery: {name: "Location-Query", max: 255, repeatable: true},
	Block2:        {name: "Block2", max: 3},
	Block1:        {name: "Block1", max: 3},
	Size2:         {name: "Size2", max: 4},
	QBlock2:       {name: "Q-Block2", max: 3, repeatable: true, unknown: true},
	ProxyURI:      {name: "Proxy-Uri", min: 1, max: 1034},
	ProxyScheme:   {name: "Proxy-Scheme", min: 1, max: 255},
	Size1:         {name: "Size1", max: 4},
	Echo:          {name: "Echo", min: 1, max: 40},
	NoResponse:    {name: "No-Response", max: 1},
	RequestTag:    {name: "Request-Tag", max: 8, repeatable: true},
}

// defined is definitions for the numbers that come in nearly every message,
// without the map's cost. A zero name means that the number has none.
var defined = func() (t [RequestTag + 1]definition) {
	for n, d := range definitions {
		t[n] = d
	}
	return t
}()

func (n Number) definition() (d definition, known bool) {
	if n > RequestTag {
		return definition{}, false
	}
	d = defined[n]
	return d, d.name != "" && !d.unknown
}

// Critical reports whether a receiver that does not know the option must
// refuse the message (RFC 7252, section 5.4.1).
func (n Number) Critical() bool { return n&1 == 1 }

func (n Number) String() string {
	if d, _ := n.definition(); d.name != "" {
		return d.name
	}
	return "Option-" + strconv.Itoa(int(n))
}
