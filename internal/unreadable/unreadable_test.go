package unreadable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"
)

func TestWhy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, missing := os.Open(dir + "/none")
	_, directory := os.ReadFile(dir)
	for want, err := range map[string]error{
		"there is no such file":   missing,
		"is a directory":          directory,
		"permission denied":       &fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES},
		"no space left on device": fmt.Errorf("x: %w", &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}),
		"read-only file system":   &os.LinkError{Op: "rename", Old: "a", New: "b", Err: syscall.EROFS},
		"something else":          errors.New("something else"),
	} {
		if got := Why(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}
