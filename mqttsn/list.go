package mqttsn

import (
	"hash/maphash"
	"iter"
)

func hashOf(id string) uint64 { return maphash.String(hashed, id) }

// list enters a connected client under whose it is, and behind its name.
func (e *endpoint) list(p *peer) {
	if old := e.holder(identify(p.principal, p.id)); old != nil {
		old.holds = false
	}
	p.holds = true
	k := hashOf(p.id)
	p.next, e.names[k] = e.names[k], p
}

// unlist is list undone; nothing for one that was never entered.
func (e *endpoint) unlist(p *peer) {
	if p.known == nil {
		return
	}
	p.holds = false
	k := hashOf(p.id)
	switch x := e.names[k]; {
	case x != p:
		for x.next != p {
			x = x.next
		}
		x.next = p.next
	case p.next != nil:
		e.names[k] = p.next
	default:
		delete(e.names, k)
	}
	p.next = nil
}

// withID are the clients of an identifier.
func (e *endpoint) withID(id string) iter.Seq[*peer] {
	return func(yield func(*peer) bool) {
		for p := e.names[hashOf(id)]; p != nil; p = p.next {
			if p.id == id && !yield(p) {
				return
			}
		}
	}
}

// holder is the client whose session it is, nil when there is none: of those
// with the identifier, who differ in their users.
func (e *endpoint) holder(who identity) *peer {
	for p := range e.withID(who.client) {
		if p.holds && identify(p.principal, p.id) == who {
			return p
		}
	}
	return nil
}

// named is the client of that identifier that a sender may be, nil when there
// is none; several, when more than one could be meant. A PINGREQ carries no
// more than the name: whose of that name it is, the sender's own identity
// tells, or there is none to tell (SECURITY S1, F6).
func (e *endpoint) named(id string, from origin) (p *peer, several bool) {
	sender := e.peers.get(from)
	for x := range e.withID(id) {
		if !x.mayBe(from, sender) {
			continue
		}
		if p != nil {
			return p, true
		}
		p = x
	}
	return p, false
}

// mayBe tells whether a sender, who is connected or nil, can be this client.
func (p *peer) mayBe(from origin, sender *peer) bool {
	switch {
	case (p.at().secure == nil) != (from.secure == nil):
		return false
	case p.at().secure.Proves() || from.secure.Proves():
		return p.at().secure.Same(from.secure)
	case sender != nil && sender.connected():
		return identify(sender.principal, p.id) == identify(p.principal, p.id)
	case p.password: // who logged in by AUTH does so again
		return false
	}
	return p.follows(from.addr.Addr())
}
