package listen

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sockaddrBuf is where the kernel writes addresses, one after the other.
type sockaddrBuf struct {
	raw  unix.RawSockaddrAny
	size uint32
}

// accept takes a connection from the kernel's queue, and leaves its address in
// a.addr.
func (a *acceptor) accept() (fd int, errno unix.Errno) {
	b := &a.addr
	b.size = unix.SizeofSockaddrAny
	n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(a.fd), uintptr(unsafe.Pointer(&b.raw)), uintptr(unsafe.Pointer(&b.size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	return int(n), errno
}

// local is the local address of a socket; zero if it has none.
func (b *sockaddrBuf) local(fd int) netip.AddrPort {
	b.size = unix.SizeofSockaddrAny
	if _, _, errno := unix.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&b.raw)), uintptr(unsafe.Pointer(&b.size))); errno != 0 {
		return netip.AddrPort{}
	}
	return b.addrPort()
}

// addrPort is what was written; zero for Unix sockets.
func (b *sockaddrBuf) addrPort() netip.AddrPort {
	switch {
	case b.raw.Addr.Family == unix.AF_INET && b.size >= unix.SizeofSockaddrInet4:
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(&b.raw))
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), port(a.Port))
	case b.raw.Addr.Family == unix.AF_INET6 && b.size >= unix.SizeofSockaddrInet6:
		a := (*unix.RawSockaddrInet6)(unsafe.Pointer(&b.raw))
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), port(a.Port))
	}
	return netip.AddrPort{}
}

// port turns a port around, whose bytes are the network's.
func port(n uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], n)
	return binary.BigEndian.Uint16(b[:])
}
