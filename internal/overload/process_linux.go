package overload

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

func diskOf(dir string) (free, total int64) {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return Unknown, 0
	}
	return int64(s.Bavail) * int64(s.Bsize), int64(s.Blocks) * int64(s.Bsize)
}

func descriptors() (open, most int) {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return Unknown, 0
	}
	d, err := os.Open("/proc/self/fd")
	if errors.Is(err, unix.EMFILE) {
		return int(min(l.Cur, 1<<30)), int(min(l.Cur, 1<<30))
	}
	if err != nil {
		return Unknown, 0
	}
	defer d.Close()
	info, err := d.Stat() // since Linux 6.2 the size is the number of descriptors
	if err == nil && info.Size() > 0 {
		return int(info.Size()), int(min(l.Cur, 1<<30))
	}
	return Unknown, int(min(l.Cur, 1<<30))
}
