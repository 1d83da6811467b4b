package coap

import (
	"time"

	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// download is a body that leaves in blocks (RFC 7959, section 2.4): the whole
// response, whose payload is the immutable one of the message, so that later
// blocks are of the same value whatever was published meanwhile (B12).
type download struct {
	key     string // method, path, query
	whole   response
	touched core.Time
}

// downloads are those of one peer.
type downloads struct{ list []download }

// find returns the transfer of a key, nil when there is none.
func (ds *downloads) find(key []byte, now core.Time, ttl time.Duration) *response {
	for i := range ds.list {
		d := &ds.list[i]
		if d.key == string(key) && now < d.touched.After(ttl) {
			d.touched = now
			return &d.whole
		}
	}
	return nil
}

// keep remembers a response for the blocks to come, in place of the one with
// the same key. Beyond limit the one that was idle longest goes: it is a cache,
// and its client gets the value anew. Without memory nothing is kept.
func (ds *downloads) keep(key []byte, r *response, now core.Time, limit int, memory *budget) {
	ds.drop(key, memory)
	if !memory.take(len(r.payload)) {
		return
	}
	if len(ds.list) >= limit {
		ds.dropOldest(memory)
	}
	ds.list = append(ds.list, download{key: string(key), whole: *r, touched: now})
}

func (ds *downloads) drop(key []byte, memory *budget) {
	for i := range ds.list {
		if ds.list[i].key == string(key) {
			ds.remove(i, memory)
			return
		}
	}
}

func (ds *downloads) dropOldest(memory *budget) {
	oldest := 0
	for i := range ds.list {
		if ds.list[i].touched < ds.list[oldest].touched {
			oldest = i
		}
	}
	ds.remove(oldest, memory)
}

func (ds *downloads) remove(i int, memory *budget) {
	memory.give(len(ds.list[i].whole.payload))
	last := len(ds.list) - 1
	ds.list[i] = ds.list[last]
	ds.list[last] = download{}
	ds.list = ds.list[:last]
}

// expire drops what was idle for the time to live.
func (ds *downloads) expire(now core.Time, ttl time.Duration, memory *budget) {
	for i := len(ds.list) - 1; i >= 0; i-- {
		if now >= ds.list[i].touched.After(ttl) {
			ds.remove(i, memory)
		}
	}
}

func (ds *downloads) clear(memory *budget) {
	for len(ds.list) > 0 {
		ds.remove(0, memory)
	}
	ds.list = nil
}

// cut makes r the block of whole that a request asks for: asked is its Block2,
// if any, szx our own largest. ok is false when there is no such block (B9);
// more says that others follow.
func (r *response) cut(whole *response, asked message.Block, present bool, szx uint8) (more, ok bool) {
	b := message.Block{SZX: szx}
	if present {
		b.Num, b.SZX = asked.Num, min(asked.SZX, szx)
		if b.SZX < asked.SZX { // we want smaller ones: the number counts in the new size
			b.Num = uint32(min(asked.Num<<(asked.SZX-b.SZX), message.MaxBlockNum))
		}
	}
	body := whole.payload
	if !present && len(body) <= b.Size() {
		*r = *whole
		return false, true
	}
	from := b.Offset()
	if from > 0 && from >= len(body) {
		return false, false
	}
	to := min(from+b.Size(), len(body))
	*r = *whole
	b.More = to < len(body)
	r.set |= hasBlock2
	r.block2, r.payload = b, body[from:to]
	if b.Num == 0 && b.More {
		r.set |= hasSize2 // B10
		r.size2 = uint32(len(body))
	}
	if b.Num > 0 {
		r.set &^= hasObserve // O17
	}
	return b.More, true
}
