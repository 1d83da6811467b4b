// Package frame is the wire format of STOMP 1.0, 1.1 and 1.2
// (https://stomp.github.io/stomp-specification-1.2.html, section "Augmented
// BNF", and its two predecessors), without I/O, clock or connection state.
//
//	+---------+-----+----------------------+-----+------+-----+------+
//	| command | EOL | *( name ":" value EOL ) | EOL | body | NUL | *EOL |
//	+---------+-----+----------------------+-----+------+-----+------+
//	EOL = LF | CR LF
//	escapes: 1.0 none   1.1 \n \c \\   1.2 \r \n \c \\
//
// A Parser takes octets in any slices and yields whole frames. What it yields
// borrows the octets it was given and is valid until its next call. It never
// allocates by an announced length: its buffer grows only with what arrived.
package frame
