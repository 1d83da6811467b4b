package adapters

import (
	"net/netip"

	"github.com/entrepot/entrepot/core"
)

// OutputSoft is the size at which a room should stop filling an output and
// ask to be called again, in bytes.
const OutputSoft = 192 << 10

// Output gathers what a room sends in one call. Stream rooms append to B.
// Datagram rooms append one datagram to B and end it with Datagram.
type Output struct {
	// B holds the bytes to send. Append to it; never keep a reference.
	B []byte
	// More asks for another Wake after the write, because B was full.
	More bool
	// Held is set by the loop for Tick: since the last one the peer's input was
	// not read, because the peer did not read what waits for it. Its silence
	// is not its own then; how long it may go on is the loop's affair.
	Held bool

	lent    []lentPiece // what stands between the bytes of B
	size    int         // of lent
	borrows bool        // Lend may keep references
	early   *Output     // what Direct has appended, until Join
	bound   *core.Turn
	grams   []Gram
	reason  core.Reason
	closing bool
	paused  bool
	resumed bool

	translations *translations // of the loop; nil before the first
	timed        []delivery    // of what is in it
	set          *Metrics      // that timed is for
}

// Gram is one datagram of an output: B[Start:End] for To, or through an
// association.
type Gram struct {
	Start, End  int
	To          netip.AddrPort
	Association *Association // nil: plain
}

// Full tells that the room should stop here, set More and wait for Wake: B is
// full, or the connection has published as much as it may for now.
func (o *Output) Full() bool {
	n := o.Len()
	if o.early != nil {
		n += o.early.Len()
	}
	return n >= OutputSoft || o.Spent()
}

// Early tells the output what Direct has appended to another since the last
// write.
func (o *Output) Early(e *Output) { o.early = e }

// Join appends what Direct has appended to another output. A room with Direct
// calls it before it appends what Take brings, and before a farewell; what is
// not joined then is lost with the connection, else it follows B.
func (o *Output) Join() {
	if e := o.early; e != nil && e.Len() > 0 {
		if len(e.timed) > 0 {
			o.timed, o.set, e.timed = append(o.timed, e.timed...), e.set, e.timed[:0]
		}
		o.join(e)
	}
}

// Counters makes the output count by what another one of its loop counts by.
func (o *Output) Counters(of *Output) {
	if of.translations != nil {
		o.translations = of.translations
	}
}

// Spent is the second part of Full: what was read and not consumed comes again
// later.
func (o *Output) Spent() bool { return o.bound != nil && o.bound.Pressed() }

// Bound makes Full look at the publishes of the turn, for a call of Input; nil
// ends that.
func (o *Output) Bound(t *core.Turn) { o.bound = t }

// Datagram ends the datagram that was appended to B since the last one.
func (o *Output) Datagram(to netip.AddrPort) { o.end(to, nil) }

// Secure ends the datagram that was appended to B since the last one; it goes
// through an association.
func (o *Output) Secure(a *Association) { o.end(a.Remote, a) }

func (o *Output) end(to netip.AddrPort, a *Association) {
	start := 0
	if n := len(o.grams); n > 0 {
		start = o.grams[n-1].End
	}
	o.grams = append(o.grams, Gram{Start: start, End: len(o.B), To: to, Association: a})
}

// Datagrams lists the datagrams that were ended.
func (o *Output) Datagrams() []Gram { return o.grams }

// CloseAfterFlush ends the connection once B has been written: the sending
// half is closed, the peer's end is awaited for a bounded time while input is
// discarded, then the socket is closed. r is the reason that logs and metrics
// show. The first call counts.
func (o *Output) CloseAfterFlush(r core.Reason) {
	if !o.closing {
		o.closing, o.reason = true, r
	}
}

// Closing reports CloseAfterFlush and its reason.
func (o *Output) Closing() (core.Reason, bool) { return o.reason, o.closing }

// PauseReading stops the loop from reading this connection (back-pressure);
// what was read and not consumed is kept. ResumeReading undoes it, and Input
// is called again with what was kept.
func (o *Output) PauseReading() { o.paused, o.resumed = true, false }

// ResumeReading undoes PauseReading.
func (o *Output) ResumeReading() { o.paused, o.resumed = false, true }

// Reading reports what the room asked for: paused, resumed, or neither.
func (o *Output) Reading() (paused, resumed bool) { return o.paused, o.resumed }

// Reset empties the output and keeps its memory, and what it counts by.
func (o *Output) Reset() {
	o.forget(0)
	*o = Output{B: o.B[:0], lent: o.lent, grams: o.grams[:0], translations: o.translations, timed: o.timed[:0]}
}
