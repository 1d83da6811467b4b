package coap

// peerList orders peers by when they were heard last.
type peerList struct{ front, back *peer }

func (l *peerList) pushFront(p *peer) {
	p.older, p.newer = l.front, nil
	if l.front != nil {
		l.front.newer = p
	} else {
		l.back = p
	}
	l.front = p
}

func (l *peerList) remove(p *peer) {
	if p.newer != nil {
		p.newer.older = p.older
	} else {
		l.front = p.older
	}
	if p.older != nil {
		p.older.newer = p.newer
	} else {
		l.back = p.newer
	}
	p.older, p.newer = nil, nil
}

func (l *peerList) touch(p *peer) {
	if l.front != p {
		l.remove(p)
		l.pushFront(p)
	}
}
