// Package packet is the wire format of MQTT 3.1 (IBM, 2010), MQTT 3.1.1 and
// MQTT 5.0 (OASIS standards), for servers and for clients.
//
// A packet is read in three steps, none of which does I/O or keeps state:
//
//	h, state := packet.Scan(in, max)      // where does the packet end?
//	err := h.Check(version, packet.Client) // may this side send it, are the flags right?
//	err = p.Parse(rules, version, h.Flags, in[h.Head:h.Size()])
//
// Parse borrows: every []byte in a parsed packet points into its input and is
// valid as long as the caller leaves that buffer alone. Nothing is allocated
// by a length that the peer announced. A parsed packet may be parsed into
// again, its slices are then reused.
//
// AppendTo appends the shortest encoding of a packet to the caller's slice and
// trusts its caller: it never fails, Parse is what enforces the rules.
//
// The rules are rows of three tables: packet by version (header.go), packet by
// property (properties.go), packet by reason code (codes.go). What needs state
// (a second CONNECT, an alias that was never set) belongs to the room above.
package packet
