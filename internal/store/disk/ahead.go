package disk

import (
	"math"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// aheadBytes of zeros are written at a time in front of a log.
const aheadBytes = 256 << 10

var zeros = aligned(aheadBytes)

// ahead is a log that has room before it is written to: zeros, not merely space
// that is reserved. A sync of what is written over them has only these bytes to
// bring to the disk; where it makes the file longer or turns reserved space
// into written one, the file system commits its own journal too, which takes
// longer than the bytes do. One sync in some thousands pays for the zeros. A
// log that is used again has its room from the start. pebble reads zeros as the
// end of a log.
type ahead struct {
	vfs.File
	at   int64 // where the next write goes
	room int64 // up to which the file is written
}

// withRoom gives a log without content its room. One that is made of another
// has it.
func withRoom(f vfs.File) vfs.File {
	a := &ahead{File: f}
	if info, err := f.Stat(); err == nil {
		a.room = info.Size()
	}
	if a.room < aheadBytes {
		a.extend()
	}
	return a
}

func (f *ahead) Write(p []byte) (n int, err error) {
	n, err = f.File.Write(p)
	f.at += int64(n)
	if f.at > f.room && err == nil {
		f.extend()
	}
	return n, err
}

// extend writes zeros behind the block that was written last. It goes without them where they
// cannot be written: the next write itself tells what is wrong.
func (f *ahead) extend() {
	at := (f.at + block - 1) / block * block
	if _, err := f.File.WriteAt(zeros, at); err != nil {
		f.room = math.MaxInt64
		return
	}
	f.room = at + aheadBytes
}
