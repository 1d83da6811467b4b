package storetest

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/entrepot/entrepot/core"
)

// RunDurable runs what a store passes that outlives its process. place returns
// a function that opens the same store each time; Run is to be called as well.
func RunDurable(t *testing.T, place func(t testing.TB) (open func() core.Store)) {
	t.Run("WhatWasWrittenIsThereAfterReopening", func(t *testing.T) {
		t.Parallel()
		open := place(t)
		r, m := rand.New(rand.NewPCG(1, 2)), Model{}
		for range 5 {
			s := open()
			m.Check(t, s)
			for range 20 {
				if err := s.Write([]*core.Batch{Random(r, m)}, r.IntN(2) == 0); err != nil {
					t.Fatalf("Write: %v", err)
				}
			}
			if err := s.Close(); err != nil { // unsynced writes survive an orderly end too
				t.Fatalf("Close: %v", err)
			}
		}
		s := open()
		defer s.Close()
		m.Check(t, s)
	})
	t.Run("TheLaterOfTwoWritesWinsWhicheverTurnEndsFirst", func(t *testing.T) {
		t.Parallel()
		theLaterWriteWins(t, place(t))
	})
}

// Benchmark measures synced writes of 1, 20 and 400 records of 64 bytes.
func Benchmark(b *testing.B, s core.Store) {
	value := make([]byte, 64)
	for _, c := range []struct {
		name string
		n    int
		sync bool
	}{{"1Synced", 1, true}, {"20Synced", 20, true}, {"400Synced", 400, true}, {"20NotSynced", 20, false}} {
		b.Run(c.name, func(b *testing.B) {
			var batch core.Batch
			batches := []*core.Batch{&batch}
			seq := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				batch.Reset()
				for range c.n {
					seq++
					var key [17]byte
					key[0] = 'q'
					binary.BigEndian.PutUint64(key[1:], seq%100)
					binary.BigEndian.PutUint64(key[9:], seq)
					batch.Set(key[:], value)
					if seq > 10_000 { // a queue of a steady length
						binary.BigEndian.PutUint64(key[9:], seq-10_000)
						batch.Delete(key[:])
					}
				}
				if err := s.Write(batches, c.sync); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(c.n), "ns/record")
		})
	}
}
