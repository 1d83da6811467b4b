package auth

import (
	"container/list"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// How long results are kept, and how many (U12).
const (
	keepGood, keepBad = time.Minute, 5 * time.Second
	mostResults       = 10_000
)

// cache remembers what came of a name and password: whether they fit a hash, what a service said. What it stores tells
// neither: a keyed digest under a key of this process.
type cache[V any] struct {
	key [32]byte
	now func() time.Time

	mu      sync.Mutex
	results map[[sha256.Size]byte]*list.Element
	order   list.List // of *result[V], the oldest first
}

type result[V any] struct {
	sum   [sha256.Size]byte
	value V
	until time.Time
}

func newCache[V any](now func() time.Time) *cache[V] {
	c := &cache[V]{now: now, results: map[[sha256.Size]byte]*list.Element{}}
	_, _ = rand.Read(c.key[:]) // never fails, says its documentation
	return c
}

// sum is the digest of a password and of whatever else an answer depends on.
func (c *cache[V]) sum(password []byte, rest ...string) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, c.key[:])
	part := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	part(password)
	for _, s := range rest {
		part([]byte(s))
	}
	h.Sum(sum[:0])
	return sum
}

// get returns a result that is still good.
func (c *cache[V]) get(sum [sha256.Size]byte) (value V, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.results[sum]
	if e == nil {
		return value, false
	}
	r := e.Value.(*result[V])
	if c.now().After(r.until) {
		c.drop(e)
		return value, false
	}
	return r.value, true
}

// put keeps a result for a time.
func (c *cache[V]) put(sum [sha256.Size]byte, value V, keep time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.results[sum]; e != nil {
		c.drop(e)
	}
	for len(c.results) >= mostResults {
		c.drop(c.order.Front())
	}
	c.results[sum] = c.order.PushBack(&result[V]{sum, value, c.now().Add(keep)})
}

func (c *cache[V]) drop(e *list.Element) {
	delete(c.results, e.Value.(*result[V]).sum)
	c.order.Remove(e)
}
