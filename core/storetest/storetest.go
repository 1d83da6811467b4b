// Package storetest is the conformance suite of core.Store: every store passes
// it with the same call, the one in memory first. Its statements are those of
// the comments on core.Store.
package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/entrepot/entrepot/core"
)

// Run runs the suite. open returns a new, empty store each time, and Run closes
// it.
func Run(t *testing.T, open func(t testing.TB) core.Store) {
	for name, test := range map[string]func(*testing.T, core.Store){
		"ValuesAreReadAsWritten":                 valuesAreReadAsWritten,
		"KeysComeInByteOrder":                    keysComeInByteOrder,
		"ScanEndsBeforeItsEnd":                   scanEndsBeforeItsEnd,
		"OperationsApplyInOrder":                 operationsApplyInOrder,
		"RangesAreDeleted":                       rangesAreDeleted,
		"ABatchMayBeReusedAtOnce":                aBatchMayBeReusedAtOnce,
		"WhatWasReadIsTheCallers":                whatWasReadIsTheCallers,
		"NothingToWriteIsNoError":                nothingToWriteIsNoError,
		"AChangeIsSeenWhole":                     aChangeIsSeenWhole,
		"AScanMayWrite":                          aScanMayWrite,
		"AScanBesideWritesSeesWhatDoesNotChange": aScanBesideWrites,
		"LargeValuesAndBatches":                  largeValuesAndBatches,
		"AClosedStoreRefuses":                    aClosedStoreRefuses,
		"CloseBesideReaders":                     closeBesideReaders,
		"AgreesWithAMap":                         agreesWithAMap,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			defer s.Close()
			test(t, s)
		})
	}
}

// Model is what a store should hold.
type Model map[string]string

// Sorted gives the records from (inclusive) to (exclusive) as "key=value".
func (m Model) Sorted(from, to string) []string {
	var keys []string
	for k := range m {
		if from <= k && k < to {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for i, k := range keys {
		keys[i] = k + "=" + m[k]
	}
	return keys
}

// scan gives the records of a store as Sorted does.
func scan(t testing.TB, s core.Store, from, to string) (out []string) {
	t.Helper()
	for rec, err := range s.Scan([]byte(from), []byte(to)) {
		if err != nil {
			t.Fatalf("Scan(%q, %q): %v", from, to, err)
		}
		out = append(out, string(rec.Key)+"="+string(rec.Value))
	}
	return out
}

// Check fails the test if the store does not hold the model.
func (m Model) Check(t testing.TB, s core.Store) {
	t.Helper()
	if got, want := scan(t, s, "\x00", "\xff\xff\xff"), m.Sorted("\x00", "\xff\xff\xff"); !slices.Equal(got, want) {
		t.Fatalf("the store holds %.300q, want %.300q", got, want)
	}
}

func set(t testing.TB, s core.Store, pairs ...string) {
	t.Helper()
	var b core.Batch
	for i := 0; i < len(pairs); i += 2 {
		b.Set([]byte(pairs[i]), []byte(pairs[i+1]))
	}
	write(t, s, &b)
}

func write(t testing.TB, s core.Store, batches ...*core.Batch) {
	t.Helper()
	if err := s.Write(batches, true); err != nil {
		t.Fatalf("Write: %v", err)
	}
}

func get(t testing.TB, s core.Store, key string) []byte {
	t.Helper()
	v, err := s.Get([]byte(key))
	if err != nil {
		t.Fatalf("Get(%q): %v", key, err)
	}
	return v
}

func valuesAreReadAsWritten(t *testing.T, s core.Store) {
	if v := get(t, s, "absent"); v != nil {
		t.Errorf("an absent key has the value %q", v)
	}
	set(t, s, "a", "1", "empty", "", "b\x00\xff", "\x00\xff")
	for key, want := range map[string]string{"a": "1", "empty": "", "b\x00\xff": "\x00\xff"} {
		if v := get(t, s, key); v == nil || string(v) != want {
			t.Errorf("Get(%q) = %#v, want %q", key, v, want)
		}
	}
	set(t, s, "a", "2")
	if v := get(t, s, "a"); string(v) != "2" {
		t.Errorf("after a second write: %q", v)
	}
	var b core.Batch
	b.Delete([]byte("a"))
	b.Delete([]byte("never was"))
	write(t, s, &b)
	if v := get(t, s, "a"); v != nil {
		t.Errorf("after the deletion: %q", v)
	}
}

func keysComeInByteOrder(t *testing.T, s core.Store) {
	m := Model{}
	for _, k := range []string{"b", "a", "a\x00", "a\x00\x00", "\x01", "a\xff", "B", "aa", "a/b", "a!", "\xfe\xff"} {
		m[k] = "of " + k
		set(t, s, k, m[k])
	}
	m.Check(t, s)
}

func scanEndsBeforeItsEnd(t *testing.T, s core.Store) {
	set(t, s, "a", "1", "b", "2", "c", "3", "c\x00", "4")
	for _, c := range []struct {
		from, to string
		want     []string
	}{
		{"a", "c", []string{"a=1", "b=2"}}, {"a\x00", "c\x00", []string{"b=2", "c=3"}}, {"b", "b\x00", []string{"b=2"}},
		{"b", "b", nil}, {"d", "z", nil}, {"c", "a", nil},
	} {
		if got := scan(t, s, c.from, c.to); !slices.Equal(got, c.want) {
			t.Errorf("Scan(%q, %q) = %q, want %q", c.from, c.to, got, c.want)
		}
	}
	for range s.Scan([]byte("a"), []byte("z")) {
		break // ending early must do no harm
	}
	set(t, s, "d", "5")
}

func operationsApplyInOrder(t *testing.T, s core.Store) {
	var first, second core.Batch
	first.Set([]byte("a"), []byte("1"))
	first.Delete([]byte("a"))
	first.Set([]byte("a"), []byte("2"))
	first.Set([]byte("b"), []byte("1"))
	first.DeleteRange([]byte("a"), []byte("c"))
	first.Set([]byte("b"), []byte("2"))
	second.Set([]byte("b"), []byte("3"))
	second.Set([]byte("c"), []byte("1"))
	second.Delete([]byte("c"))
	write(t, s, &first, &second)
	Model{"b": "3"}.Check(t, s)
}

func rangesAreDeleted(t *testing.T, s core.Store) {
	m := Model{}
	var b core.Batch
	for i := range 1000 {
		k := fmt.Sprintf("%04d", i)
		m[k] = "v"
		b.Set([]byte(k), []byte("v"))
	}
	write(t, s, &b)
	for _, r := range [][2]string{{"0100", "0200"}, {"0150", "0250"}, {"0500", "0500"}, {"0600", "0599"}, {"0999", "9"}, {"", "0001"}} {
		b.Reset()
		b.DeleteRange([]byte(r[0]), []byte(r[1]))
		write(t, s, &b)
		for i := range 1000 {
			if k := fmt.Sprintf("%04d", i); r[0] <= k && k < r[1] {
				delete(m, k)
			}
		}
		m.Check(t, s)
	}
	set(t, s, "0150", "back")
	m["0150"] = "back"
	m.Check(t, s)
}

func aBatchMayBeReusedAtOnce(t *testing.T, s core.Store) {
	m := Model{}
	var b core.Batch
	for i := range 100 {
		b.Reset()
		k, v := fmt.Sprintf("key%02d", i), fmt.Sprintf("value%02d", i)
		b.Set([]byte(k), []byte(v))
		write(t, s, &b)
		m[k] = v
	}
	m.Check(t, s)
}

func whatWasReadIsTheCallers(t *testing.T, s core.Store) {
	set(t, s, "a", "value")
	clear(get(t, s, "a"))
	if v := get(t, s, "a"); string(v) != "value" {
		t.Errorf("a reader changed the store: %q", v)
	}
}

func nothingToWriteIsNoError(t *testing.T, s core.Store) {
	for _, sync := range []bool{false, true} {
		if err := s.Write(nil, sync); err != nil {
			t.Errorf("no batch: %v", err)
		}
		if err := s.Write([]*core.Batch{{}, {}}, sync); err != nil {
			t.Errorf("empty batches: %v", err)
		}
	}
}

func largeValuesAndBatches(t *testing.T, s core.Store) {
	m := Model{}
	var b core.Batch
	for i, size := range []int{0, 1, 1000, 1 << 16, 1 << 20, 3 << 20} {
		k, v := fmt.Sprintf("large%d", i), bytes.Repeat([]byte{byte('a' + i)}, size)
		m[k] = string(v)
		b.Set([]byte(k), v)
	}
	for i := range 20_000 {
		k := fmt.Sprintf("small%05d", i)
		m[k] = k
		b.Set([]byte(k), []byte(k))
	}
	write(t, s, &b)
	got := scan(t, s, "a", "z")
	if !slices.Equal(got, m.Sorted("a", "z")) {
		t.Errorf("%d records, want %d", len(got), len(m))
	}
}

func aClosedStoreRefuses(t *testing.T, s core.Store) {
	set(t, s, "a", "1")
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	var b core.Batch
	b.Set([]byte("b"), []byte("2"))
	if err := s.Write([]*core.Batch{&b}, true); !errors.Is(err, core.ErrStoreClosed) {
		t.Errorf("Write: %v", err)
	}
	if v, err := s.Get([]byte("a")); v != nil || !errors.Is(err, core.ErrStoreClosed) {
		t.Errorf("Get: %q, %v", v, err)
	}
	n := 0
	for rec, err := range s.Scan([]byte("a"), []byte("z")) {
		if n++; n > 1 || rec.Key != nil || !errors.Is(err, core.ErrStoreClosed) {
			t.Errorf("Scan: %q, %v", rec.Key, err)
		}
	}
	if n != 1 {
		t.Errorf("Scan yields %d times", n)
	}
	if err := s.Close(); !errors.Is(err, core.ErrStoreClosed) {
		t.Errorf("a second Close: %v", err)
	}
}

func closeBesideReaders(t *testing.T, s core.Store) {
	set(t, s, "a", "1", "b", "2")
	var wg sync.WaitGroup
	started := make(chan struct{}, 4)
	for range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				if i == 1 {
					started <- struct{}{}
				}
				if _, err := s.Get([]byte("a")); err != nil {
					if !errors.Is(err, core.ErrStoreClosed) {
						t.Errorf("Get: %v", err)
					}
					return
				}
				for _, err := range s.Scan([]byte("a"), []byte("z")) {
					if err != nil && !errors.Is(err, core.ErrStoreClosed) {
						t.Errorf("Scan: %v", err)
					}
				}
			}
		})
	}
	for range 4 {
		<-started
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	wg.Wait()
}
