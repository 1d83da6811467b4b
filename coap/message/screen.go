package message

import "unicode/utf8"

// Verdict is what Screen found.
type Verdict uint8

// The verdicts, with the answer that each asks for.
const (
	Clean       Verdict = iota // go on
	BadCritical                // a critical option that cannot be honoured: 4.02
	BadText                    // text that is not UTF-8: 4.00
)

// Screen removes what must be ignored: elective options that are unknown,
// of an illegal length or supernumerary (RFC 7252, sections 5.4.1, 5.4.3 and
// 5.4.5). The first critical one in the same state, or the first text that is
// not UTF-8, ends it with a verdict and the number. The options are filtered in
// place.
func (m *Message) Screen() (v Verdict, culprit Number) {
	kept := m.Options[:0]
	last, any := Number(0), false
	for _, o := range m.Options {
		d, known := o.Number.definition()
		ok := known && len(o.Value) >= int(d.min) && len(o.Value) <= int(d.max)
		if any && o.Number == last && !d.repeatable {
			ok = false // a supernumerary one is treated as unknown
		}
		last, any = o.Number, true
		switch {
		case !ok && o.Number.Critical():
			return BadCritical, o.Number
		case !ok:
			continue
		case d.text && !utf8.Valid(o.Value):
			return BadText, o.Number
		}
		kept = append(kept, o)
	}
	m.Options = kept
	return Clean, 0
}
