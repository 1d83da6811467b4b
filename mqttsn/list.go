package mqttsn

// list enters a connected client under whose it is, and behind its name.
func (e *endpoint) list(p *peer) {
	if old := e.holder(identify(p.principal, p.id)); old != nil {
		old.holds = false
	}
	p.holds = true
	if first := e.byName[p.id]; first != nil {
		p.next, first.prev = first, p
	}
	e.byName[p.id] = p
}

// unlist is list undone; nothing for one that was never entered.
func (e *endpoint) unlist(p *peer) {
	if p.traffic == nil {
		return
	}
	p.holds = false
	switch {
	case p.prev != nil:
		p.prev.next = p.next
	case e.byName[p.id] != p:
		return
	case p.next != nil:
		e.byName[p.id] = p.next
	default:
		delete(e.byName, p.id)
	}
	if p.next != nil {
		p.next.prev = p.prev
	}
	p.next, p.prev = nil, nil
}

// holder is the client whose session it is, nil when there is none: of those
// with the identifier, who differ in their users.
func (e *endpoint) holder(who identity) *peer {
	for p := e.byName[who.client]; p != nil; p = p.next {
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
	sender := e.peers[from]
	for x := e.byName[id]; x != nil; x = x.next {
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
	case (p.at.secure == nil) != (from.secure == nil):
		return false
	case p.at.secure.Proves() || from.secure.Proves():
		return p.at.secure.Same(from.secure)
	case sender != nil && sender.connected():
		return identify(sender.principal, p.id) == identify(p.principal, p.id)
	case p.password: // who logged in by AUTH does so again
		return false
	}
	return p.follows(from.addr.Addr())
}
