package packet

// A Header is the fixed header of a control packet. MQTT 5.0, 2.1.
//
//	 7 6 5 4 3 2 1 0
//	+-------+-------+
//	| type  | flags |
//	+-------+-------+-- - -
//	| remaining length (1..4 bytes)
//	+---------------+-- - -
type Header struct {
	Type  Type
	Flags byte // the low nibble
	Head  int  // bytes of the header itself; 0 while it is incomplete
	Body  int  // remaining length
}

// Size returns the bytes of the whole packet, 0 while the header is incomplete.
func (h Header) Size() int {
	if h.Head == 0 {
		return 0
	}
	return h.Head + h.Body
}

// State is what Scan found.
type State byte

// What Scan can find.
const (
	Complete    State = iota // the whole packet is there
	HeaderShort              // the header is incomplete
	BodyShort                // the header is complete, the body is not
	TooLarge                 // the remaining length exceeds the limit
	BadLength                // the remaining length is not a shortest variable byte integer
)

// Err returns the error behind TooLarge and BadLength, nil for the others.
func (s State) Err() error {
	switch s {
	case TooLarge:
		return errTooLarge // [MQTT-3.2.2-15]
	case BadLength:
		return errLength // [MQTT-1.5.5-1]
	}
	return nil
}

// Scan reads the fixed header at the start of in and says how much of the
// packet is there. The limit counts the whole packet, header included, as
// Maximum Packet Size does; max <= 0 is no limit. Type and flags are set as
// soon as there is one byte, whatever the state.
func Scan(in []byte, max int) (Header, State) {
	var h Header
	if len(in) == 0 {
		return h, HeaderShort
	}
	h.Type, h.Flags = Type(in[0]>>4), in[0]&15
	n, used := varint(in[1:])
	switch {
	case used == 0:
		return h, HeaderShort
	case used < 0:
		return h, BadLength
	}
	h.Head, h.Body = 1+used, int(n)
	if max > 0 && h.Size() > max {
		return h, TooLarge
	}
	if len(in) < h.Size() {
		return h, BodyShort
	}
	return h, Complete
}

// A headerRow is one packet type: who may send it, its flags, how short its
// body may be, and whether that length is exact.
type headerRow struct {
	flags          byte
	client, server bool
	min5, min3     int
	exact5, exact3 bool
}

// headers is the table of section 2.1.2 and 2.1.3. A PUBLISH has flags of its
// own; CONNECT judges its flags and length itself, since the answer depends on
// the version that it asks for.
var headers = [16]headerRow{
	CONNECT:     {client: true},
	CONNACK:     {server: true, min5: 3, min3: 2, exact3: true},
	PUBLISH:     {client: true, server: true, min5: 3, min3: 2},
	PUBACK:      {client: true, server: true, min5: 2, min3: 2, exact3: true},
	PUBREC:      {client: true, server: true, min5: 2, min3: 2, exact3: true},
	PUBREL:      {flags: 2, client: true, server: true, min5: 2, min3: 2, exact3: true},
	PUBCOMP:     {client: true, server: true, min5: 2, min3: 2, exact3: true},
	SUBSCRIBE:   {flags: 2, client: true, min5: 3, min3: 2},
	SUBACK:      {server: true, min5: 4, min3: 3},
	UNSUBSCRIBE: {flags: 2, client: true, min5: 3, min3: 2},
	UNSUBACK:    {server: true, min5: 4, min3: 2, exact3: true},
	PINGREQ:     {client: true, exact5: true, exact3: true},
	PINGRESP:    {server: true, exact5: true, exact3: true},
	DISCONNECT:  {client: true, server: true, exact3: true},
	AUTH:        {client: true, server: true},
}

// Check applies what can be known from the header: the type, who may send it,
// the reserved flags, the shortest body. It may be called as soon as the type
// is known; lengths are checked once the header is complete.
func (h Header) Check(v Version, from Side) error {
	row := &headers[h.Type&15]
	switch {
	case h.Type == 0:
		return errType
	case h.Type == AUTH && v < V5:
		return errAuth3
	case from == Client && !row.client, from == Server && !row.server, from == Server && h.Type == DISCONNECT && v < V5:
		return errDirection
	case !h.flagsValid(v):
		// [MQTT-2.1.3-1] [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1] [MQTT-3.14.1-1] [MQTT-3.15.1-1]
		// [3: MQTT-2.2.2-1] [3: MQTT-2.2.2-2] [3: MQTT-3.6.1-1] [3: MQTT-3.8.1-1] [3: MQTT-3.10.1-1] [3: MQTT-3.14.1-1]
		return errFlags
	case h.Head == 0:
		return nil
	}
	return h.checkLength(v)
}

func (h Header) checkLength(v Version) error {
	row := &headers[h.Type&15]
	shortest, exact := row.min3, row.exact3
	if v >= V5 {
		shortest, exact = row.min5, row.exact5
	}
	if h.Type == PUBLISH && h.Flags&6 != 0 {
		shortest += 2
	}
	switch {
	case h.Body < shortest:
		return errShort
	case exact && h.Body > shortest && (h.Type == PINGREQ || h.Type == PINGRESP):
		return errPingBody
	case exact && h.Body > shortest:
		return errLeft
	}
	return nil
}

func (h Header) flagsValid(v Version) bool {
	want := headers[h.Type&15].flags
	switch {
	case h.Type == PUBLISH, h.Type == CONNECT:
		return true // Parse judges them
	case v == V31 && want == 2:
		return h.Flags&6 == 2 // 3.1: QoS 1, DUP allowed
	case v == V31:
		return true // 3.1: unused bits are ignored
	}
	return h.Flags == want
}
