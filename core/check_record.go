package core

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// CheckRecord reads one record of a store as a start would, without using it.
// kind names it for people; a record that no release wrote has none. what says
// whose it is, as far as the record itself tells.
func CheckRecord(rec Record) (kind, what string, err error) {
	if len(rec.Key) == 0 {
		return "", "", errRecord
	}
	letter, key := rec.Key[0], rec.Key[1:]
	if kind = recordKinds[letter]; kind == "" {
		return "", "", fmt.Errorf("no release knows records of %q", letter)
	}
	r := &reader{b: rec.Value}
	switch letter {
	case keyClock:
	case keyRetained, keyNote:
		what = string(bytes.ReplaceAll(key, []byte{0}, []byte(" ")))
	default:
		if len(key) < 8 {
			return kind, "", errRecord
		}
		what = fmt.Sprint(binary.BigEndian.Uint64(key), " ", string(key[8:]))
	}
	switch letter {
	case keySession:
		what = r.checkSession()
	case keySubscription, keyBinding:
		r.subscription("")
	case keyWalk:
		r.text()
		r.uint()
		if len(r.b) > 0 {
			r.uint()
		}
	case keySeen:
		r.bad = len(key) != 16
	case keyQueue:
		namespace := r.text()
		_, spec := r.queueSpec()
		what = namespace + " " + spec.Name
	case keyEntry, keySegment, keyClearing:
		if len(key) != 16 {
			return kind, what, errRecord
		}
		seq := binary.BigEndian.Uint64(key[8:])
		what = fmt.Sprintf("queue %d, message %d", binary.BigEndian.Uint64(key), seq)
		switch letter {
		case keyEntry:
			_, err = r.entry(seq)
		case keySegment:
			_, err = r.segment(seq)
		default:
			_, _, err = r.clearing(0, seq)
		}
		return kind, what, err
	case keyClock:
		r.clock()
	case keyMessage:
		r.holders(nil)
		what = r.message().Topic
	case keyRetained:
		r.message()
		r.text()
	case keyDelayed:
		namespace := r.text()
		r.uint()
		r.principal(namespace)
		what = r.message().Topic
	}
	return kind, what, r.err()
}

// checkSession reads what Batch.session wrote.
func (r *reader) checkSession() (what string) {
	namespace, client := r.text(), r.text()
	p := r.principal(namespace)
	for range 4 { // expiry, end, time of the will, queue
		r.uint()
	}
	r.bool()
	r.bool()
	r.uint()
	r.uint()
	r.byte()
	r.uint()
	if r.bool() {
		r.uint()
		r.uint()
		r.message()
	}
	return namespace + " " + p.User + " " + client
}
