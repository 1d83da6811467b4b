package coap

import (
	"sync/atomic"
	"time"

	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// budget is octets that all transfers share, over all listeners.
type budget struct {
	used  atomic.Int64
	limit atomic.Int64
}

func budgetOf(limit int64) *budget {
	b := new(budget)
	b.limit.Store(limit)
	return b
}

// take reserves n octets; false when they are not there.
func (b *budget) take(n int) bool {
	if b.used.Add(int64(n)) > b.limit.Load() {
		b.used.Add(-int64(n))
		return false
	}
	return true
}

func (b *budget) give(n int) { b.used.Add(-int64(n)) }

// upload is a body that arrives in blocks (RFC 7959, section 2.5).
type upload struct {
	key     string // method, path, query, Request-Tag
	body    []byte
	format  int32 // Content-Format of block 0, -1 for none
	touched core.Time
	last    message.Block // the last one taken
	done    bool          // the body is complete and was handed on
	final   response      // what answered it, for a repeated last block
}

// uploads are those of one peer.
type uploads struct {
	list []*upload
}

// step is what became of a block.
type step uint8

const (
	stepContinue  step = iota // 2.31, wait for more
	stepComplete              // the body is there
	stepRepeat                // the last block again: same answer
	stepGap                   // 4.08
	stepBadSize               // 4.00
	stepTooLarge              // 4.13
	stepNoMemory              // 5.03
	stepSuspended             // the last block again while the core is at it
)

// limits of uploads that the endpoint passes.
type uploadLimits struct {
	body, count int
	ttl         time.Duration
	memory      *budget
}

// put takes one block. The upload is returned for the steps that need it.
func (us *uploads) put(key []byte, b message.Block, format int32, size1 uint32, payload []byte, now core.Time, l uploadLimits) (*upload, step) {
	us.expire(now, l)
	if n := len(payload); n > b.Size() || b.More && n < b.Size() {
		return nil, stepBadSize // B4; the last block is not larger than the others either
	}
	if int64(size1) > int64(l.body) || b.Offset()+len(payload) > l.body {
		us.drop(key, l.memory)
		return nil, stepTooLarge // B5
	}
	u := us.find(key)
	if u != nil && b.Num > 0 && b == u.last && format == u.format {
		u.touched = now
		if !u.done {
			return u, stepContinue
		}
		if u.final.code == message.Empty {
			return u, stepSuspended
		}
		return u, stepRepeat // B3
	}
	if b.Num == 0 {
		us.drop(key, l.memory) // B1: block 0 starts afresh
		if len(us.list) >= l.count {
			return nil, stepNoMemory // B13
		}
		u = &upload{key: string(key), format: format}
		us.list = append(us.list, u)
	}
	if u != nil && u.resends(b) {
		u.body = u.body[:b.Offset()]
	}
	if u == nil || u.done || b.Offset() != len(u.body) || format != u.format { // B3, B7
		us.drop(key, l.memory)
		return nil, stepGap
	}
	if !u.grow(payload, l.memory) {
		us.drop(key, l.memory)
		return nil, stepNoMemory
	}
	u.last, u.touched = b, now
	if b.More {
		return u, stepContinue
	}
	u.done = true
	return u, stepComplete
}

// resends says that b is the second block of a client that, asked for smaller
// blocks, takes only the first small one for sent. RFC 7959 has it go on behind
// the large one (B6), but go-coap does not.
func (u *upload) resends(b message.Block) bool {
	return !u.done && u.last.Num == 0 && b.Num == 1 && b.SZX < u.last.SZX && len(u.body) == u.last.Size()
}

// grow appends to the body; what the slice holds is taken from the budget.
func (u *upload) grow(p []byte, memory *budget) bool {
	if need := len(u.body) + len(p); need > cap(u.body) {
		size := max(need, min(2*cap(u.body), cap(u.body)+64<<10))
		if !memory.take(size - cap(u.body)) {
			return false
		}
		body := make([]byte, len(u.body), size)
		copy(body, u.body)
		u.body = body
	}
	u.body = append(u.body, p...)
	return true
}

// finish remembers what answered the body and lets the body go.
func (u *upload) finish(r *response, memory *budget) {
	u.final = *r
	u.release(memory)
}

// release gives the body back; a second time there is nothing to give.
func (u *upload) release(memory *budget) {
	memory.give(cap(u.body))
	u.body = nil
}

func (us *uploads) find(key []byte) *upload {
	for _, u := range us.list {
		if u.key == string(key) {
			return u
		}
	}
	return nil
}

func (us *uploads) drop(key []byte, memory *budget) {
	for i, u := range us.list {
		if u.key == string(key) {
			u.release(memory)
			us.list = append(us.list[:i], us.list[i+1:]...)
			return
		}
	}
}

// expire drops what got no block for the time to live.
func (us *uploads) expire(now core.Time, l uploadLimits) {
	kept := us.list[:0]
	for _, u := range us.list {
		if now < u.touched.After(l.ttl) {
			kept = append(kept, u)
		} else {
			u.release(l.memory)
		}
	}
	clear(us.list[len(kept):])
	us.list = kept
}

// clear drops everything.
func (us *uploads) clear(memory *budget) {
	for _, u := range us.list {
		u.release(memory)
	}
	us.list = nil
}
