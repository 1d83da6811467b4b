package limit

// Links are what a peer has to stand in a Recent.
type Links[P any] struct{ newer, older *P }

// Linked is a peer that can stand in a Recent, in one at a time.
type Linked[P any] interface {
	*P
	Links() *Links[P]
}

// Recent orders peers by when they were heard last, so that the one that was
// silent longest goes first. The zero value is empty. It is not safe for
// concurrent use.
type Recent[P any, L Linked[P]] struct{ front, back *P }

// Add puts a peer in that was heard just now.
func (r *Recent[P, L]) Add(p *P) {
	k := L(p).Links()
	k.older, k.newer = r.front, nil
	if r.front != nil {
		L(r.front).Links().newer = p
	} else {
		r.back = p
	}
	r.front = p
}

// Remove takes a peer out that stands in the list.
func (r *Recent[P, L]) Remove(p *P) {
	k := L(p).Links()
	if k.newer != nil {
		L(k.newer).Links().older = k.older
	} else {
		r.front = k.older
	}
	if k.older != nil {
		L(k.older).Links().newer = k.newer
	} else {
		r.back = k.newer
	}
	k.older, k.newer = nil, nil
}

// Heard moves a peer that stands in the list to its front.
func (r *Recent[P, L]) Heard(p *P) {
	if r.front != p {
		r.Remove(p)
		r.Add(p)
	}
}

// Oldest yields the peers that were silent longest, at most so many. The one
// that it yields may be removed meanwhile, and nobody else.
func (r *Recent[P, L]) Oldest(most int) func(yield func(*P) bool) {
	return func(yield func(*P) bool) {
		for p := r.back; p != nil && most > 0; most-- {
			newer := L(p).Links().newer
			if !yield(p) {
				return
			}
			p = newer
		}
	}
}
