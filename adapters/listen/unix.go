package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"strconv"
)

var errNoSocket = errors.New("there is a file of that name, which is no socket")

const socketMode fs.FileMode = 0o660

// bindUnix makes the socket's file. One that is there already is removed if
// nobody listens on it (MH4).
func (l *listener) bindUnix() error {
	path := l.target.addr
	switch info, err := os.Lstat(path); {
	case err != nil:
	case info.Mode()&os.ModeSocket == 0:
		return errNoSocket
	default:
		c, err := net.Dial("unix", path)
		if err == nil {
			c.Close()
			return errInUse
		}
		if !isRefused(err) { // it may be somebody's all the same
			return fmt.Errorf("cannot tell whether somebody listens there: %w", err)
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	restore := privateFiles() // nobody connects before mode and group are set
	ln, err := net.Listen("unix", path)
	restore()
	if err != nil {
		return err
	}
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	l.tcp = ln
	if l.socket, err = os.Lstat(path); err == nil {
		err = l.shareSocket(path)
	}
	if err != nil {
		ln.Close()
		l.removeSocket()
	}
	return err
}

// shareSocket lets mode and group connect.
func (l *listener) shareSocket(path string) error {
	t := l.terms.Load()
	if t.Group != "" {
		gid, err := groupID(t.Group)
		if err != nil {
			return err
		}
		if err := os.Chown(path, -1, gid); err != nil {
			return fmt.Errorf("group %s: %w", t.Group, err)
		}
	}
	mode := t.Mode
	if mode == 0 {
		mode = socketMode
	}
	return os.Chmod(path, mode)
}

// groupID is the number of a group.
func groupID(name string) (int, error) {
	id := name
	if g, err := user.LookupGroup(name); err == nil {
		id = g.Gid
	}
	gid, err := strconv.Atoi(id)
	if err != nil {
		return 0, fmt.Errorf("group %s is unknown", name)
	}
	return gid, nil
}

// removeSocket removes the socket's file, unless another one has its name.
func (l *listener) removeSocket() {
	if info, err := os.Lstat(l.target.addr); err == nil && l.socket != nil && os.SameFile(info, l.socket) {
		os.Remove(l.target.addr)
	}
}
