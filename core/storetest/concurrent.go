package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/entrepot/entrepot/core"
)

// aChangeIsSeenWhole checks that no reader finds a value that belongs to no
// batch, while one writer changes two keys at a time.
func aChangeIsSeenWhole(t *testing.T, s core.Store) {
	const rounds = 300
	set(t, s, "a", "0000", "b", "0000")
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			last := ""
			for !stop.Load() {
				v, err := s.Get([]byte("a"))
				if err != nil || len(v) != 4 || string(v) < last {
					t.Errorf("read %q, %v after %q", v, err, last)
					return
				}
				if b, err := s.Get([]byte("b")); err != nil || string(b) < string(v) {
					t.Errorf("read b %q, %v after a %q of the same batch", b, err, v)
					return
				}
				last = string(v)
			}
		})
	}
	var b core.Batch
	for i := range rounds {
		b.Reset()
		v := fmt.Appendf(nil, "%04d", i)
		b.Set([]byte("a"), v)
		b.Set([]byte("b"), v)
		if err := s.Write([]*core.Batch{&b}, false); err != nil {
			t.Errorf("Write: %v", err)
			break
		}
	}
	stop.Store(true)
	wg.Wait()
}

func aScanMayWrite(t *testing.T, s core.Store) {
	m := Model{}
	for i := range 300 {
		k := fmt.Sprintf("old%03d", i)
		set(t, s, k, "1")
		m["new"+k] = "2"
	}
	var b core.Batch
	for rec, err := range s.Scan([]byte("old"), []byte("oldz")) {
		if err != nil {
			t.Fatalf("Scan: %v", err)
		}
		b.Reset()
		b.Set(append([]byte("new"), rec.Key...), []byte("2"))
		b.Delete(rec.Key)
		write(t, s, &b)
	}
	m.Check(t, s)
}

func aScanBesideWrites(t *testing.T, s core.Store) {
	const fixed = 500
	for i := range fixed {
		set(t, s, fmt.Sprintf("key%04d", i*2), "fixed")
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for done := false; !done; {
				done = stop.Load()
				n, last := 0, ""
				for rec, err := range s.Scan([]byte("key"), []byte("kez")) {
					if err != nil || string(rec.Key) <= last {
						t.Errorf("%q after %q, %v", rec.Key, last, err)
						return
					}
					last = string(rec.Key)
					if string(rec.Value) == "fixed" {
						n++
					}
				}
				if n != fixed {
					t.Errorf("%d of the %d fixed records", n, fixed)
					return
				}
			}
		})
	}
	var b core.Batch
	for i := range 2000 {
		b.Reset()
		k := fmt.Appendf(nil, "key%04d", i*7919%fixed*2+1)
		if i%3 == 0 {
			b.Delete(k)
		} else {
			b.Set(k, []byte("moving"))
		}
		if err := s.Write([]*core.Batch{&b}, false); err != nil {
			t.Errorf("Write: %v", err)
			break
		}
	}
	stop.Store(true)
	wg.Wait()
}

// agreesWithAMap runs random batches against the store and a map.
func agreesWithAMap(t *testing.T, s core.Store) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	m := Model{}
	for range 60 {
		batches := []*core.Batch{Random(r, m), Random(r, m)}
		if err := s.Write(batches, r.IntN(4) == 0); err != nil {
			t.Fatalf("Write: %v", err)
		}
		from, to := randomKey(r), randomKey(r)
		if got, want := scan(t, s, from, to), m.Sorted(from, to); !slices.Equal(got, want) {
			t.Fatalf("Scan(%q, %q) = %q, want %q", from, to, got, want)
		}
	}
	m.Check(t, s)
}

// Random makes a batch of random operations and applies it to the model.
func Random(r *rand.Rand, m Model) *core.Batch {
	var b core.Batch
	for range r.IntN(30) {
		k := randomKey(r)
		switch r.IntN(10) {
		case 0:
			to := randomKey(r)
			b.DeleteRange([]byte(k), []byte(to))
			for x := range m {
				if k <= x && x < to {
					delete(m, x)
				}
			}
		case 1, 2, 3:
			b.Delete([]byte(k))
			delete(m, k)
		default:
			m[k] = fmt.Sprint(r.Uint32())
			b.Set([]byte(k), []byte(m[k]))
		}
	}
	return &b
}

func randomKey(r *rand.Rand) string { return fmt.Sprintf("%c%02d", 'a'+r.IntN(3), r.IntN(100)) }
