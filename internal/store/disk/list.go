package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
)

// The list of tables is pebble's MANIFEST: one record for each change, of which
// pebble takes the first that it cannot read for the end. Behind a damaged one it
// would forget tables, and remove them. So the list is looked through before
// pebble sees it.

// listMark begins the name of the file that tells which list of tables counts.
const listMark = "marker." + listName + "."

const listName = "manifest"

// whole refuses a store whose list of tables is not there, as in a copy that
// leaves out empty files, or is damaged.
func whole(disk vfs.FS, dir string, names []string) error {
	content, marked := "", false
	for _, name := range names {
		marked = marked || strings.HasPrefix(name, listMark)
		if strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".log") {
			content = name
		}
	}
	switch {
	case marked:
		return checkList(disk, dir)
	case content != "":
		return fmt.Errorf("store %s is %w: it holds %q, but no file %q", dir, ErrIncomplete, content, listMark+"*")
	}
	return nil
}

func checkList(disk vfs.FS, dir string) error {
	name, err := atomicfs.ReadMarker(disk, dir, listName)
	if err != nil {
		return fmt.Errorf("store %s cannot be read: %w", dir, err)
	}
	list, err := readAll(disk, disk.PathJoin(dir, name))
	if err != nil {
		return fmt.Errorf("store %s cannot be read: %w", dir, err)
	}
	if at, ok := damagedAt(list); !ok {
		return fmt.Errorf("store %s is %w: its list of tables, %s, has a wrong byte in the record at %d", dir, ErrDamaged, name, at)
	}
	return nil
}

func readAll(disk vfs.FS, name string) (text []byte, err error) {
	f, err := disk.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(f)
}

// A list is blocks of listBlock bytes with chunks in them, of which none crosses
// the end of a block; what is left of a block and too short for a head is empty.
//
//	CRC-32C of what follows the length, masked: uint32   length of the text: uint16   kind: byte   text
const (
	listBlock  = 32 << 10
	chunkHead  = 7
	chunkFull  = 1 // a record
	chunkFirst = 2 // the first part of a record
	chunkLast  = 4
	manyZeros  = 32 // more than a record holds
)

// damagedAt finds a chunk that is damaged. The last one may be torn: written in
// part, or not at all where the file has become longer already, when power was
// lost. Nothing was acknowledged that it tells of.
func damagedAt(list []byte) (at int, ok bool) {
	for at < len(list) {
		n := chunkAt(list, at)
		if n == 0 {
			return at, isTorn(list, at)
		}
		at += n
	}
	return at, true
}

// chunkAt is the length of the chunk at a place, or of the empty end of a block;
// 0: there is none.
func chunkAt(list []byte, at int) int {
	left := listBlock - at%listBlock
	if left < chunkHead {
		return left
	}
	n, ok := chunkLength(list, at)
	if !ok || list[at+6] < chunkFull || list[at+6] > chunkLast || !sums(list[at:at+n]) {
		return 0
	}
	return n
}

// chunkLength is what the head of a chunk says; false: it has no place there.
func chunkLength(list []byte, at int) (n int, ok bool) {
	if at+chunkHead > len(list) {
		return 0, false
	}
	n = chunkHead + int(binary.LittleEndian.Uint16(list[at+4:]))
	return n, at+n <= len(list) && at%listBlock+n <= listBlock
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sums(chunk []byte) bool {
	c := crc32.Checksum(chunk[6:], castagnoli)
	return (c>>15|c<<17)+0xa282ead8 == binary.LittleEndian.Uint32(chunk)
}

// isTorn tells whether a chunk that cannot be read is the end of what was
// written before power was lost.
func isTorn(list []byte, at int) bool {
	for later := at + 1; later < len(list); later++ {
		if later%listBlock+chunkHead <= listBlock && later+6 < len(list) && list[later+6] <= chunkFirst && chunkAt(list, later) > 0 {
			return false // it was written later
		}
	}
	rest := list[at:]
	if bytes.Contains(rest, make([]byte, manyZeros)) || len(bytes.Trim(rest, "\x00")) == 0 {
		return true // the file was made longer, and no more
	}
	_, complete := chunkLength(list, at)
	return !complete && !(len(rest) > chunkHead && sums(rest)) // of another length than the head says
}
