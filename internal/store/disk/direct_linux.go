package disk

import (
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"
)

// past makes f, a log without content, a direct one where its file system can do
// it: the first block is overwritten to find out.
func past(f vfs.File) vfs.File {
	if f.Fd() == vfs.InvalidFd {
		return f
	}
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil {
		return f
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFL, flags|unix.O_DIRECT); err != nil {
		return f
	}
	if _, err := f.WriteAt(zeros[:block], 0); err != nil {
		_, _ = unix.FcntlInt(f.Fd(), unix.F_SETFL, flags) // as it was
		return f
	}
	return newDirect(f)
}
