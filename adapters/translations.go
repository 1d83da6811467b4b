package adapters

import (
	"slices"
	"sync/atomic"

	"github.com/entrepot/entrepot/core"
)

// Translation is what became of a message that left by another protocol than it
// came by.
type Translation uint8

// The results.
const (
	Whole        Translation = iota // everything was carried
	Lossy                           // fields were lost (entrepot_mapping_dropped_total)
	Untranslated                    // the receiver's protocol, or the receiver, cannot take it
	translationResults
)

// String is the label of the metric.
func (r Translation) String() string { return [translationResults]string{"ok", "lossy", "dropped"}[r] }

// Outcome is Lossy or Whole.
func Outcome(lossy bool) Translation {
	if lossy {
		return Lossy
	}
	return Whole
}

// maxProtocols bounds the protocols that are told apart; the first stands for all
// others.
const maxProtocols = 8

// otherProtocol is the name of what came by none that is known: the gateway's own
// messages.
const otherProtocol = "other"

// translations are the counters of one loop, which alone adds to them: by the
// protocols that messages came and left by.
type translations [maxProtocols][maxProtocols][translationResults]atomic.Uint64

// Translator counts for the room of one protocol.
type Translator struct {
	name string
	to   int
	set  *Metrics
}

// Translator is that of a protocol.
func (m *Metrics) Translator(protocol string) *Translator {
	return &Translator{protocol, m.protocol(protocol), m}
}

// Count notes a message that left by this room's protocol, or could not. One that
// came by the same is none.
func (x *Translator) Count(out *Output, m *core.Message, r Translation) {
	x.count(out, m.Origin, r, 1)
}

// count is Count for so many messages of that origin.
func (x *Translator) count(out *Output, origin string, r Translation, n int) {
	if origin == x.name {
		return
	}
	if out.translations == nil {
		out.translations = x.set.newTranslations()
	}
	out.translations[x.set.protocol(origin)][x.to][r].Add(uint64(n))
}

func (m *Metrics) newTranslations() *translations {
	m.mu.Lock()
	defer m.mu.Unlock()
	x := new(translations)
	m.translations = append(m.translations, x)
	return x
}

// protocol is the index of a protocol.
func (m *Metrics) protocol(name string) int {
	if all := m.protocols.Load(); all != nil {
		for i, known := range *all {
			if known == name {
				return i
			}
		}
	}
	return m.newProtocol(name)
}

func (m *Metrics) newProtocol(name string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := []string{otherProtocol}
	if known := m.protocols.Load(); known != nil {
		all = slices.Clone(*known)
	}
	if i := slices.Index(all, name); i >= 0 {
		return i
	}
	if name == "" || len(all) == maxProtocols {
		return 0
	}
	all = append(all, name)
	m.protocols.Store(&all)
	return len(all) - 1
}

// Translations calls fn with what all loops have counted, where it is not 0.
func (m *Metrics) Translations(fn func(from, to string, r Translation, n uint64)) {
	m.mu.Lock()
	loops := slices.Clone(m.translations)
	m.mu.Unlock()
	all := m.protocols.Load()
	if all == nil {
		return
	}
	for from, name := range *all {
		for to, other := range *all {
			for r := range translationResults {
				n := uint64(0)
				for _, x := range loops {
					n += x[from][to][r].Load()
				}
				if n > 0 {
					fn(name, other, r, n)
				}
			}
		}
	}
}
