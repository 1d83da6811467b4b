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

const socketMode fs.FileMode = 0o660

// bindUnix makes the socket's file. One that is there already is removed if
// nobody listens on it (MH4).
func (l *listener) bindUnix() error {
	path := l.target.addr
	switch info, err := os.Lstat(path); {
	case err != nil:
	case info.Mode()&os.ModeSocket == 0:
		return errors.New("there is a file of that name, which is no socket")
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
	if l.cfg.Group != "" {
		id := l.cfg.Group
		if g, err := user.LookupGroup(l.cfg.Group); err == nil {
			id = g.Gid
		}
		gid, err := strconv.Atoi(id)
		if err != nil {
			return fmt.Errorf("group %s is unknown", l.cfg.Group)
		}
		if err := os.Chown(path, -1, gid); err != nil {
			return fmt.Errorf("group %s: %w", l.cfg.Group, err)
		}
	}
	mode := l.cfg.Mode
	if mode == 0 {
		mode = socketMode
	}
	return os.Chmod(path, mode)
}

// removeSocket removes the socket's file, unless another one has its name.
func (l *listener) removeSocket() {
	if info, err := os.Lstat(l.target.addr); err == nil && l.socket != nil && os.SameFile(info, l.socket) {
		os.Remove(l.target.addr)
	}
}
