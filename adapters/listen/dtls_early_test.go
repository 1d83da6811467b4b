package listen

import (
	"encoding/binary"
	"net/netip"
	"testing"
)

// record is one of DTLS 1.2; with a connection identifier if its type says so.
func record(typ byte, epoch uint16, number uint64, body string) []byte {
	b := []byte{typ, 254, 253}
	b = binary.BigEndian.AppendUint64(b, uint64(epoch)<<48|number)
	if typ == recordCID {
		b = append(b, "12345678"...)
	}
	return append(binary.BigEndian.AppendUint16(b, uint16(len(body))), body...)
}

// TestDTLS_WhatFollowsTheFinishedWaitsForTheEngine: the client knows of the end of the handshake before the engine does here,
// which keeps one datagram until then and forgets the others.
func TestDTLS_WhatFollowsTheFinishedWaitsForTheEngine(t *testing.T) {
	from := netip.MustParseAddrPort("127.0.0.1:9")
	for _, typ := range []byte{recordData, recordCID} {
		finished := byte(typeHandshake)
		if typ == recordCID {
			finished = recordCID
		}
		a := &association{}
		a.wire = newWire(a)
		give := func(b []byte) bool {
			s, ok := inspect(b)
			if !ok {
				t.Fatalf("%x is no DTLS", b)
			}
			return a.take(s, b, from)
		}
		engine := func(want ...[]byte) {
			t.Helper()
			buf := make([]byte, 100)
			for _, w := range want {
				n, _, err, done := a.wire.take(buf)
				if !done || err != nil || string(buf[:n]) != string(w) {
					t.Fatalf("type %d: the engine got %x, %v, want %x", typ, buf[:n], err, w)
				}
			}
			if n, _, _, done := a.wire.take(buf); done {
				t.Fatalf("type %d: the engine got %x as well", typ, buf[:n])
			}
		}
		change := record(recordChangeCipherSpec, 0, 3, "\x01")
		late := record(typ, 1, 2, "late") // overtook the Finished
		give(late)
		engine(late)
		last := append(change, record(finished, 1, 0, "finished")...)
		give(last)
		engine(last)
		first, second := record(typ, 1, 3, "first"), record(typ, 1, 4, "second")
		give(first)
		give(second)
		engine()
		give(last) // again, since our answer was lost
		engine(last)
		a.opened()
		engine(first, second)
		third := record(typ, 1, 5, "third")
		give(third)
		engine(third)

		a = &association{finishing: true}
		a.wire = newWire(a)
		for n := range wireQueue {
			if !give(record(typ, 1, uint64(n+1), "x")) {
				t.Fatalf("%d are too many", n)
			}
		}
		if give(first) {
			t.Error("without a bound")
		}
	}
}
