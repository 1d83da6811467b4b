//go:build !linux

package listen

import (
	"errors"
	"net"
	"syscall"
)

// wsaeAddrInUse is Windows' code of an address in use.
const wsaeAddrInUse = syscall.Errno(10048)

func isInUse(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, wsaeAddrInUse) || errors.Is(err, errInUse)
}

func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// privateFiles: these systems have no mask in common.
func privateFiles() (undo func()) { return func() {} }

// Holder: these systems tell it to nobody in a way worth asking.
func Holder(string, string) (name string, pid int) { return "", 0 }

// maxConnections is not known here.
func maxConnections() int { return 1 << 30 }

// firstSpared and descriptorOf: nothing is spared.
func firstSpared() int { return 1 << 30 }

func descriptorOf(net.Conn) int { return 0 }

// readNow reads without waiting, which nothing here can do.
func readNow(net.Conn, []byte) (int, error) { return 0, errNothing }
