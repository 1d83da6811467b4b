package client

import (
	"strings"

	"github.com/entrepot/entrepot/mqttsn/packet"
)

// Topic is a topic, or in Subscribe a filter, and how packets name it.
type Topic struct {
	kind packet.TopicKind
	id   uint16
	name string
}

// Name is a topic or filter by its name. Publish registers it first, once,
// unless it has two octets: those travel as a short name.
func Name(s string) Topic { return Topic{kind: packet.Normal, name: s} }

// Short is a topic whose name has exactly two octets.
func Short(s string) Topic {
	id, _ := packet.ShortName(s)
	return Topic{kind: packet.Short, id: id, name: s}
}

// Predefined is a topic by the id that both sides know.
func Predefined(id uint16) Topic { return Topic{kind: packet.Predefined, id: id} }

// publishing is how a publish names t best.
func (t Topic) publishing() Topic {
	if t.kind == packet.Normal && len(t.name) == 2 && !strings.ContainsAny(t.name, "+#") {
		return Short(t.name)
	}
	return t
}

// topics are the ids that gateway and client agreed on, in both directions.
type topics struct {
	predefined map[uint16]string
	names      map[uint16]string
	ids        map[string]uint16
}

func newTopics(predefined map[uint16]string) topics {
	t := topics{predefined: predefined}
	t.forget()
	return t
}

// forget drops the agreed ids, as a new connection does.
func (t *topics) forget() { t.names, t.ids = map[uint16]string{}, map[string]uint16{} }

func (t *topics) add(id uint16, name string) { t.names[id], t.ids[name] = name, id }

func (t *topics) drop(name string) {
	delete(t.names, t.ids[name])
	delete(t.ids, name)
}

// name is the topic of an incoming publish; known is false for a normal id
// that was never agreed on.
func (t *topics) name(k packet.TopicKind, id uint16) (name string, known bool) {
	switch k {
	case packet.Normal:
		name, known = t.names[id]
	case packet.Predefined:
		name, known = t.predefined[id], true
	case packet.Short:
		name, known = string([]byte{byte(id >> 8), byte(id)}), true
	}
	return name, known
}
