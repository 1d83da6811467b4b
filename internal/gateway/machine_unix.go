//go:build unix

package gateway

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/entrepot/entrepot/internal/config"
)

// runner is a user that the gateway will run as.
type runner struct {
	uid    int
	groups []int
}

func lookup(name string) (*runner, error) {
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			return nil, fmt.Errorf("there is no user %q", name)
		}
	}
	r := &runner{}
	r.uid, _ = strconv.Atoi(u.Uid)
	ids, _ := u.GroupIds()
	for _, id := range append(ids, u.Gid) {
		n, _ := strconv.Atoi(id)
		r.groups = append(r.groups, n)
	}
	return r, nil
}

// mayRead tells why the user cannot read a file; "": it can.
func (r *runner) mayRead(file string) string {
	path, err := filepath.Abs(file)
	if err != nil {
		return err.Error()
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && !r.has(info, 0o1) {
			return dir + " keeps it out"
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return "it is not there"
	}
	if !r.has(info, 0o4) {
		return fmt.Sprintf("mode %04o", info.Mode().Perm())
	}
	return ""
}

// has tells whether the mode of a file gives the user a right: 4 read, 2 write, 1 enter, or a sum of them.
func (r *runner) has(info os.FileInfo, right os.FileMode) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case r.uid == 0 || !ok:
		return true
	case int(st.Uid) == r.uid:
		right <<= 6
	case slices.Contains(r.groups, int(st.Gid)):
		right <<= 3
	}
	return info.Mode().Perm()&right == right
}

// mayWrite tells why the user cannot make files in a directory; "": it can.
func (r *runner) mayWrite(dir string) string {
	if reason := r.mayRead(dir); reason != "" {
		return reason
	}
	if info, err := os.Stat(dir); err == nil && !r.has(info, 0o3) {
		return fmt.Sprintf("mode %04o", info.Mode().Perm())
	}
	return ""
}

// barred tells that the user needs a capability to take the port. Whether it will have it only the service's unit tells.
func (r *runner) barred(a config.Address) bool {
	return r.uid != 0 && a.Scheme.Network != "unix" && a.Port > 0 && a.Port < 1024
}

func writable(dir string) error { return unix.Access(dir, unix.W_OK|unix.X_OK) }

// diskSpace is what this user may still write and what the disk has altogether, in bytes.
func diskSpace(dir string) (free, total int64, ok bool) {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return 0, 0, false
	}
	return int64(uint64(s.Bavail) * uint64(s.Bsize)), int64(uint64(s.Blocks) * uint64(s.Bsize)), true
}

// descriptors is how many the process may have.
func descriptors() (uint64, bool) {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return 0, false
	}
	return uint64(r.Max), true
}

// ourProcess tells that a process runs this program.
func ourProcess(pid int) bool {
	theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return false
	}
	mine, err := os.Executable()
	return err == nil && filepath.Base(theirs) == filepath.Base(mine)
}
