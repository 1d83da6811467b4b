package mqtt

// aliasesIn are the topics that a client gave numbers. They die with the
// connection. [MQTT-3.3.2-7]
type aliasesIn struct{ topics [][]byte }

// resolve applies the alias of a PUBLISH, from 1 to max: a topic sets or
// replaces it, an empty topic uses it. known is false when it was never set;
// the caller has checked the range.
func (a *aliasesIn) resolve(alias int, name []byte) (_ []byte, known bool) {
	if len(name) > 0 {
		for len(a.topics) < alias {
			a.topics = append(a.topics, nil)
		}
		a.topics[alias-1] = append([]byte(nil), name...)
		return name, true
	}
	if alias > len(a.topics) || a.topics[alias-1] == nil {
		return nil, false
	}
	return a.topics[alias-1], true
}

// aliasesOut are the numbers that we gave topics. The first topics get them,
// and keep them.
type aliasesOut struct {
	numbers map[string]uint16
	max     uint16 // 0: none
}

// lookup returns the alias of a topic, 0 when it has none and gets none; fresh
// tells that the client does not know it yet, and must be told by set once the
// PUBLISH is certain to be sent. MA4.
func (a *aliasesOut) lookup(name string) (alias uint16, fresh bool) {
	if a == nil || a.max == 0 {
		return 0, false
	}
	if n, ok := a.numbers[name]; ok {
		return n, false
	}
	if len(a.numbers) < int(a.max) {
		return uint16(len(a.numbers) + 1), true
	}
	return 0, false
}

func (a *aliasesOut) set(name string, alias uint16) {
	if a.numbers == nil {
		a.numbers = make(map[string]uint16)
	}
	a.numbers[name] = alias
}
