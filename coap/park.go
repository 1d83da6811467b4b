package coap

import (
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// parked is a request that came before its sender was known: a copy of the
// datagram, executed once the login is over.
type parked struct {
	who   *identity
	in    []byte
	inner suspension // of the second execution
}

// poll executes the request when the identity is settled.
func (k *parked) poll(t *core.Turn, p *peer, r *response) bool {
	if k.inner.w == nil {
		if k.who.state != ready && k.who.state != refused {
			return false
		}
		var m message.Message
		if message.Parse(k.in, &m) != nil || !check(&m, p.ep.cfg.MaxOptions, r) {
			return true // it was sound when it came
		}
		q := new(request)
		q.read(&m, k.in)
		if k.inner.w = p.execute(t, q, r, &k.inner); k.inner.w == nil {
			return true
		}
		return false
	}
	if !k.inner.w.poll(t, p, r) {
		return false
	}
	p.finishUpload(k.inner.upload, r)
	return true
}

func (k *parked) cancel(t *core.Turn) {
	if k.inner.w != nil {
		k.inner.w.cancel(t)
	}
}
