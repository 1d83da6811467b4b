//go:build unix

package access

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// owner is the user and group of a file.
func owner(info fs.FileInfo) [2]uint32 {
	st := info.Sys().(*syscall.Stat_t)
	return [2]uint32{st.Uid, st.Gid}
}

func TestTheFileOfUsersStaysWhoseItIs(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "users.yaml"), filepath.Join(dir, "link.yaml")
	write(t, file, "users: []\n")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if err := os.Chown(file, 1234, 1235); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := EditUsers(link, func(f *File) error { return f.Add(Entry{Name: "joe", Password: Stored(hash)}) }); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info.Mode(), err)
	}
	after, err := os.Stat(file)
	if err != nil || owner(after) != owner(before) || after.Mode().Perm() != 0o600 {
		t.Errorf("%v %v, %v", owner(after), after.Mode(), err)
	}
}
