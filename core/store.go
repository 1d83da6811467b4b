package core

import "iter"

// Store keeps what must outlive the process: an ordered map of keys to
// values, changed by atomic batches. Core owns the schema (record.go); a
// store knows bytes only. Every store passes core/storetest.
//
// Write is called by one goroutine at a time. Scan may run beside it, and
// sees some state between its start and its end for each key, never a part
// of a batch's value.
type Store interface {
	// Write applies the operations of the batches, in order, as one atomic
	// change. When sync is set it returns only after the change would survive
	// a power cut. After an error nothing of it may be assumed written, and
	// the store refuses further writes until it is opened anew, unless it
	// knows that the failure left it whole.
	Write(batches []*Batch, sync bool) error
	// Get reads one value; nil, nil when the key is absent. The result is the
	// caller's.
	Get(key []byte) ([]byte, error)
	// Scan walks the keys from (inclusive) to (exclusive) in byte order. Key
	// and value are valid until the next step.
	Scan(from, to []byte) iter.Seq2[Record, error]
	// Close releases everything. Calls after it fail with ErrStoreClosed.
	Close() error
}

// Outage is a store that tells when it cannot write for now. Its Write waits
// until it can again, or fails when it never will.
type Outage interface {
	// OnOutage sets who is told: why nothing can be written, OK when that is
	// over. It is called at once with how things are. told does not block.
	OnOutage(told func(why Reason))
}

// Volatile is a store that may keep everything in memory: nothing is gained by
// reading it back.
type Volatile interface{ Volatile() bool }

// Record is one key with its value.
type Record struct{ Key, Value []byte }

type storeError string

func (e storeError) Error() string { return string(e) }

// ErrStoreClosed answers calls to a store that was closed.
const ErrStoreClosed = storeError("store is closed")

// OpKind tells the operations of a batch apart.
type OpKind uint8

// The operations.
const (
	OpSet         OpKind = iota // Key gets Value
	OpDelete                    // Key goes
	OpDeleteRange               // all keys from Key (inclusive) to Value (exclusive) go
)

// Batch gathers operations in one buffer. The zero value is empty. It is not
// safe for concurrent use.
type Batch struct {
	buf []byte
	ops []batchOp
}

type batchOp struct {
	kind       OpKind
	key, value int // end offsets in buf; the start is where the one before ended
}

// Set adds an operation that gives key a value. Both are copied.
func (b *Batch) Set(key, value []byte) { b.add(OpSet, key, value) }

// Delete adds an operation that removes key.
func (b *Batch) Delete(key []byte) { b.add(OpDelete, key, nil) }

// DeleteRange adds an operation that removes the keys from (inclusive) to
// (exclusive).
func (b *Batch) DeleteRange(from, to []byte) { b.add(OpDeleteRange, from, to) }

func (b *Batch) add(k OpKind, key, value []byte) {
	b.buf = append(b.buf, key...)
	end := len(b.buf)
	b.buf = append(b.buf, value...)
	b.ops = append(b.ops, batchOp{kind: k, key: end, value: len(b.buf)})
}

// Add appends the operations of another batch.
func (b *Batch) Add(from *Batch) {
	at := len(b.buf)
	b.buf = append(b.buf, from.buf...)
	for _, op := range from.ops {
		b.ops = append(b.ops, batchOp{kind: op.kind, key: at + op.key, value: at + op.value})
	}
}

// Len is the number of operations.
func (b *Batch) Len() int { return len(b.ops) }

// Size is the sum of keys and values, in bytes.
func (b *Batch) Size() int { return len(b.buf) }

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() { b.buf, b.ops = b.buf[:0], b.ops[:0] }

// All walks the operations in order. Key and value alias the batch.
func (b *Batch) All() iter.Seq2[OpKind, Record] {
	return func(yield func(OpKind, Record) bool) {
		at := 0
		for _, op := range b.ops {
			r := Record{Key: b.buf[at:op.key:op.key], Value: b.buf[op.key:op.value:op.value]}
			if !yield(op.kind, r) {
				return
			}
			at = op.value
		}
	}
}
