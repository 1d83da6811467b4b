package topic

import (
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"unsafe"
)

// loadOf adds n filters, every wild-th of them with wildcards, and returns
// names of which half meet a filter.
func loadOf(x *Index[*int], n, wild int) (filters []string, names []string) {
	filters = make([]string, n)
	for i := range n {
		switch {
		case i%wild != 0:
			filters[i] = fmt.Sprintf("site/%d/dev/%d/temp", i%100, i)
		case i%(2*wild) == 0:
			filters[i] = fmt.Sprintf("site/%d/dev/%d/+", i%100, i)
		default:
			filters[i] = fmt.Sprintf("site/%d/dev/%d/#", i%100, i)
		}
	}
	v := new(int)
	for _, f := range filters {
		x.Add(f, v)
	}
	for i := range 4096 {
		k := i * 7919 % n
		names = append(names, fmt.Sprintf("site/%d/dev/%d/%s", k%100, k, []string{"temp", "none"}[i%2]))
	}
	return filters, names
}

func benchMatch(b *testing.B, n, wild int) {
	x := NewIndex[*int](IndexOptions{})
	_, names := loadOf(x, n, wild)
	dst, i := make([]*int, 0, 16), 0
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = x.Match(dst[:0], names[i&4095])
		i++
	}
}

func BenchmarkMatchOver50kAFifthWild(b *testing.B)    { benchMatch(b, 50_000, 5) }
func BenchmarkMatchOver1MTwoPercentWild(b *testing.B) { benchMatch(b, 1_000_000, 50) }

func BenchmarkMatchExactHit(b *testing.B) {
	x := NewIndex[*int](IndexOptions{})
	x.Add("site/7/dev/3/temp", new(int))
	dst, name := make([]*int, 0, 16), "site/7/dev/3/temp"
	for b.Loop() {
		if dst, _ = x.Match(dst[:0], name); len(dst) != 1 {
			b.Fatal("no match")
		}
	}
}

func BenchmarkMatchMissOver50k(b *testing.B) {
	x := NewIndex[*int](IndexOptions{})
	loadOf(x, 50_000, 5)
	var names []string
	for i := range 4096 {
		names = append(names, fmt.Sprintf("site/%d/other/%d/temp", i%100, i))
	}
	dst, i := make([]*int, 0, 16), 0
	for b.Loop() {
		dst, _ = x.Match(dst[:0], names[i&4095])
		i++
	}
}

func BenchmarkMatchFanOut500(b *testing.B) {
	x := NewIndex[*int](IndexOptions{})
	for range 500 {
		x.Add("a/b", new(int))
	}
	dst, name := make([]*int, 0, 512), "a/b"
	for b.Loop() {
		dst, _ = x.Match(dst[:0], name)
	}
}

func BenchmarkCurrent(b *testing.B) {
	x := NewIndex[*int](IndexOptions{})
	_, s := x.Match(nil, "a/b")
	for b.Loop() {
		if !x.Current(s) {
			b.Fatal("not current")
		}
	}
}

// BenchmarkAddRemove is one Add and one Remove beside a reader.
func BenchmarkAddRemove(b *testing.B) {
	for _, wild := range []int{1, 5, 1 << 30} {
		b.Run("wild1in"+strconv.Itoa(wild), func(b *testing.B) {
			x := NewIndex[*int](IndexOptions{})
			filters, _ := loadOf(x, 50_000, wild)
			v, i := new(int), 0
			b.ReportAllocs()
			for b.Loop() {
				f := filters[i%len(filters)]
				x.Add(f, v)
				x.Remove(f, v)
				i++
			}
		})
	}
}

// BenchmarkFill builds an index of 50,000 filters and empties it.
func BenchmarkFill(b *testing.B) {
	filters, _ := loadOf(NewIndex[*int](IndexOptions{}), 50_000, 5)
	v := new(int)
	for b.Loop() {
		x := NewIndex[*int](IndexOptions{})
		for _, f := range filters {
			x.Add(f, v)
		}
		for _, f := range filters {
			x.Remove(f, v)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/change")
}

// BenchmarkBroadcast is one Add and one Remove of a filter that many share.
func BenchmarkBroadcast(b *testing.B) {
	const n = 100_000
	x := NewIndex[int](IndexOptions{})
	for i := range n {
		x.Add("broadcast", i)
	}
	for i := 0; b.Loop(); i++ {
		x.Add("broadcast", n+i)
		x.Remove("broadcast", i)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkMemory reports bytes a filter beyond its text.
func BenchmarkMemory(b *testing.B) {
	const n = 100_000
	for name, text := range map[string]string{
		"exact": "site/%d/dev/%d/temp", "plus": "site/%d/dev/%d/+", "hash": "site/%d/dev/%d/#", "front": "+/%[2]d/x",
	} {
		b.Run(name, func(b *testing.B) {
			filters := make([]string, n)
			for i := range filters {
				filters[i] = fmt.Sprintf(text, i%100, i)
			}
			v := new(int)
			for b.Loop() {
				before := heap()
				x := NewIndex[*int](IndexOptions{})
				for _, f := range filters {
					x.Add(f, v)
				}
				b.ReportMetric(float64(heap()-before)/n, "B/filter")
				runtime.KeepAlive(x)
			}
		})
	}
}

// own is a name of 25 bytes somewhere in memory, as those of retained messages
// are.
type own struct{ name *byte }

func (x own) Key() string { return unsafe.String(x.name, 25) }

func retainedMillion() *Retained[own] {
	r := &Retained[own]{}
	for i := range 1_000_000 {
		k := i * 7919 % 1_000_000
		name := fmt.Sprintf("site/%02d/dev/%03d/sensor/%02d", k/20000, k/50%400, k%50)
		r.Set(own{unsafe.StringData(name)})
	}
	return r
}

// BenchmarkRetainedScan finds 20,000 of 1,000,000 names in slices of 256.
func BenchmarkRetainedScan(b *testing.B) {
	before := heap()
	r := retainedMillion()
	perEntry := float64(heap()-before)/1e6 - 32 // the text takes 32 bytes
	for _, filter := range []string{"site/07/#", "site/+/dev/+/sensor/07", "+/+/+/+/+/07", "site/+/dev/007/#"} {
		b.Run(filter, func(b *testing.B) {
			var items []own
			found := 0
			for b.Loop() {
				after, done := "", false
				for found = 0; !done; found += len(items) {
					items, after, done = r.Scan(items[:0], filter, after, 256)
				}
			}
			b.ReportMetric(float64(found), "found")
			b.ReportMetric(perEntry, "B/entry")
		})
	}
	b.Run("Get", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			k := i * 104729 % 1_000_000
			var buf [40]byte
			name := fmt.Appendf(buf[:0], "site/%02d/dev/%03d/sensor/%02d", k/20000, k/50%400, k%50)
			if _, ok := r.Get(string(name)); !ok {
				b.Fatal("lost")
			}
		}
	})
}
