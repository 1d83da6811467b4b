package coap

import (
	"strconv"

	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// ask is what must be known to answer a request once it has been executed; it
// outlives the datagram.
type ask struct {
	token     message.Token
	id        uint16
	typ       message.Type
	method    message.Code
	mute      uint8 // No-Response
	acked     bool  // the empty ACK has gone: the answer is a separate response
	hasBlock2 bool
	size2     bool // Size2 was given: tell the size
	block2    message.Block
}

// request is a request that passed the checks of its options. Everything in it
// borrows from the datagram.
type request struct {
	ask
	path      message.Options // Uri-Path
	query     message.Options // Uri-Query
	etags     message.Options
	ifMatch   message.Options
	ifNone    bool
	observe   int8  // 0 register, 1 cancel, -1 no Observe, -2 another value
	accept    int32 // -1 none
	format    int32 // Content-Format, -1 none
	hasBlock1 bool
	block1    message.Block
	size1     uint32
	echo      []byte
	payload   []byte
	raw       []byte // the datagram
	key       []byte // method, path, query: what identifies a transfer
	tagged    []byte // key and Request-Tag
}

// read fills q from a message whose options are screened. The slices key and
// tagged are reused.
func (q *request) read(m *message.Message, raw []byte) {
	o := m.Options
	*q = request{
		ask:   ask{token: m.Token, id: m.ID, typ: m.Type, method: m.Code},
		raw:   raw,
		path:  o.All(message.URIPath),
		query: o.All(message.URIQuery),
		etags: o.All(message.ETag), ifMatch: o.All(message.IfMatch),
		observe: -1, accept: -1, format: -1,
		payload: m.Payload, key: q.key[:0], tagged: q.tagged[:0],
	}
	for _, x := range o {
		q.take(x)
	}
	if q.method == message.GET {
		q.mute = 0 // M16: ignored where the answer is the purpose
	}
	if q.observe == 0 && q.hasBlock2 && q.block2.Num > 0 {
		q.observe = -1 // O17: only block 0 registers (RFC 7959, section 2.6)
	}
	q.key = append(q.key, byte(q.method))
	q.key = appendKey(appendKey(q.key, q.path), q.query)
	q.tagged = appendKey(append(q.tagged, q.key...), o.All(message.RequestTag))
}

func (q *request) take(x message.Option) {
	switch x.Number {
	case message.IfNoneMatch:
		q.ifNone = true
	case message.Observe:
		q.observe = -2
		if v := message.Uint(x.Value); v <= 1 {
			q.observe = int8(v)
		}
	case message.ContentFormat:
		q.format = int32(message.Uint(x.Value))
	case message.Accept:
		q.accept = int32(message.Uint(x.Value))
	case message.Block1:
		q.hasBlock1, q.block1 = true, message.ParseBlock(x.Value)
	case message.Block2:
		q.hasBlock2, q.block2 = true, message.ParseBlock(x.Value)
	case message.Size1:
		q.size1 = message.Uint(x.Value)
	case message.Size2:
		q.size2 = true
	case message.NoResponse:
		q.mute = uint8(message.Uint(x.Value))
	case message.Echo:
		q.echo = x.Value
	}
}

// appendKey appends options so that no two lists look alike.
func appendKey(b []byte, o message.Options) []byte {
	for _, x := range o {
		b = append(b, byte(x.Number), byte(x.Number>>8), byte(len(x.Value)))
		b = append(b, x.Value...)
	}
	return b
}

// check refuses what no resource has to look at. The options of m are screened
// on the way.
func check(m *message.Message, limit int, r *response) (ok bool) {
	if len(m.Options) > limit || m.Excess {
		r.fail(message.BadRequest, "too many options") // G11
		return false
	}
	for _, o := range m.Options {
		if o.Number == message.ProxyURI || o.Number == message.ProxyScheme {
			r.fail(message.ProxyingNotSupported, "no proxy") // M14
			return false
		}
	}
	switch v, n := m.Screen(); v {
	case message.BadCritical:
		r.fail(message.BadOption, "unsupported option "+strconv.Itoa(int(n))) // G3, G4, G7
		return false
	case message.BadText:
		r.fail(message.BadRequest, n.String()+" is not UTF-8") // G8
		return false
	}
	return true
}

// waiter is a request that the core has not finished.
type waiter interface {
	// poll returns true once r is the answer. It is called when the core has
	// news, and must not block.
	poll(t *core.Turn, p *peer, r *response) bool
	// cancel is called instead when the peer is forgotten.
	cancel(t *core.Turn)
}

// handler is what lies behind the message layer: the topics, or the resources
// of a test.
type handler interface {
	// admit refuses what needs no body: an unknown path or method, a bad query,
	// wrong credentials. Neither ok nor a waiter: r is the answer.
	admit(t *core.Turn, p *peer, q *request, r *response) (w waiter, ok bool)
	// serve executes an admitted request with its whole body. nil: r is the
	// answer.
	serve(t *core.Turn, p *peer, q *request, r *response) waiter
	// wake is told that the core has called Ready for the peer.
	wake(t *core.Turn, p *peer)
}
