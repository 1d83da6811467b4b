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

// cache remembers whether a password fits a hash, so that a client that comes again costs no hashing. What it stores
// tells neither: a keyed digest under a key of this process.
type cache struct {
	key [32]byte
	now func() time.Time

	mu      sync.Mutex
	results map[[sha256.Size]byte]*list.Element
	order   list.List // of *result, the oldest first
}

type result struct {
	sum   [sha256.Size]byte
	ok    bool
	until time.Time
}

func newCache(now func() time.Time) *cache {
	c := &cache{now: now, results: map[[sha256.Size]byte]*list.Element{}}
	_, _ = rand.Read(c.key[:]) // never fails, says its documentation
	return c
}

func (c *cache) sum(user string, password []byte, hash string) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, c.key[:])
	for _, part := range [][]byte{[]byte(user), password, []byte(hash)} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write(part)
	}
	h.Sum(sum[:0])
	return sum
}

// get returns a result that is still good.
func (c *cache) get(sum [sha256.Size]byte) (ok, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.results[sum]
	if e == nil {
		return false, false
	}
	r := e.Value.(*result)
	if c.now().After(r.until) {
		c.drop(e)
		return false, false
	}
	return r.ok, true
}

func (c *cache) put(sum [sha256.Size]byte, ok bool) {
	keep := keepBad
	if ok {
		keep = keepGood
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.results[sum]; e != nil {
		c.drop(e)
	}
	for len(c.results) >= mostResults {
		c.drop(c.order.Front())
	}
	c.results[sum] = c.order.PushBack(&result{sum, ok, c.now().Add(keep)})
}

func (c *cache) drop(e *list.Element) {
	delete(c.results, e.Value.(*result).sum)
	c.order.Remove(e)
}
