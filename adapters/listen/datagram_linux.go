package listen

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// udpSocket is a descriptor in the loop's epoll. Its memory is that of one
// system call, used again for the next.
type udpSocket struct {
	e   *endpoint
	fd  int
	six bool // AF_INET6: IPv4 travels as ::ffff:a.b.c.d

	name unix.RawSockaddrInet6 // large enough for both families
	iov  unix.Iovec
	hdr  unix.Msghdr
	oob  [64]byte // one IP_PKTINFO or IPV6_PKTINFO
}

// askForDestination makes the kernel tell to which address each datagram was
// sent, so that the answer comes from there.
func askForDestination(c *net.UDPConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	ok := false
	raw.Control(func(fd uintptr) { //nolint:errcheck // ok stays false
		four := unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		six := unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		ok = four == nil || six == nil
	})
	return ok
}

// newUDPSocket takes the descriptor over from the listener; nil: impossible.
func newUDPSocket(e *endpoint) *udpSocket {
	fd, err := detach(e.l.udp)
	if err != nil {
		return nil
	}
	s := &udpSocket{e: e, fd: fd}
	sa, err := unix.Getsockname(fd)
	if _, s.six = sa.(*unix.SockaddrInet6); err != nil {
		unix.Close(fd)
		return nil
	}
	return s
}

func (s *udpSocket) start() bool { return s.e.loop.wait.watch(s.fd, s) == nil }

func (s *udpSocket) close() {
	s.e.loop.wait.forget(s)
	unix.Close(s.fd)
	s.fd = -1
}

// ready reads a round; epoll is level-triggered, what is left comes again.
func (s *udpSocket) ready() {
	for range datagramRound {
		if s.e.over {
			return
		}
		s.e.loop.overwrites()
		b := s.e.loop.buf[:maxDatagram]
		n, errno := s.message(unix.SYS_RECVMSG, b, len(s.oob))
		switch {
		case errno == unix.EAGAIN:
			return
		case errno != 0: // EINTR, or an ICMP error of a peer that is gone
			continue
		}
		via := netip.Addr{}
		if s.e.l.wildcard {
			via = destination(s.oob[:s.hdr.Controllen])
		}
		if from := s.from(); from.IsValid() {
			s.e.give(from, via, b[:n])
		}
	}
}

// message does one system call with name and oob of the socket.
func (s *udpSocket) message(call uintptr, b []byte, control int) (int, unix.Errno) {
	s.iov.Base = unsafe.SliceData(b)
	s.iov.SetLen(len(b))
	s.hdr = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&s.name)), Namelen: unix.SizeofSockaddrInet6, Iov: &s.iov}
	s.hdr.SetIovlen(1)
	if control > 0 {
		s.hdr.Control = &s.oob[0]
		s.hdr.SetControllen(control)
	}
	n, _, errno := unix.RawSyscall(call, uintptr(s.fd), uintptr(unsafe.Pointer(&s.hdr)), unix.MSG_DONTWAIT)
	s.iov.Base = nil
	return int(n), errno
}

// from is the sender of the datagram that was just read.
func (s *udpSocket) from() netip.AddrPort {
	switch s.name.Family {
	case unix.AF_INET:
		n := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.name))
		return netip.AddrPortFrom(netip.AddrFrom4(n.Addr), swap(n.Port))
	case unix.AF_INET6:
		a := netip.AddrFrom16(s.name.Addr).Unmap()
		if s.name.Scope_id != 0 {
			a = a.WithZone(strconv.Itoa(int(s.name.Scope_id)))
		}
		return netip.AddrPortFrom(a, swap(s.name.Port))
	}
	return netip.AddrPort{}
}

// swap turns a port in network order, as the kernel has it in memory.
func swap(port uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], port)
	return binary.BigEndian.Uint16(b[:])
}

// send writes one datagram, from the address that its receiver knows.
func (s *udpSocket) send(b []byte, to netip.AddrPort, via netip.Addr) error {
	if s.six {
		s.name = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: swap(to.Port()), Addr: to.Addr().As16()}
		if z := to.Addr().Zone(); z != "" {
			n, _ := strconv.Atoi(z)
			s.name.Scope_id = uint32(n)
		}
	} else {
		*(*unix.RawSockaddrInet4)(unsafe.Pointer(&s.name)) = unix.RawSockaddrInet4{
			Family: unix.AF_INET, Port: swap(to.Port()), Addr: to.Addr().Unmap().As4()}
	}
	for {
		_, errno := s.message(unix.SYS_SENDMSG, b, s.source(via))
		if errno == 0 {
			return nil
		}
		if errno != unix.EINTR {
			return errno
		}
	}
}

// source writes the control message that chooses our address, and returns its
// length.
func (s *udpSocket) source(via netip.Addr) int {
	switch {
	case !via.IsValid():
		return 0
	case via.Unmap().Is4():
		return copy(s.oob[:], unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: via.Unmap().As4()}))
	}
	return copy(s.oob[:], unix.PktInfo6(&unix.Inet6Pktinfo{Addr: via.As16()}))
}

// sourceControl is the control message for our address via; nil for none.
func sourceControl(via netip.Addr) []byte {
	switch {
	case !via.IsValid():
		return nil
	case via.Unmap().Is4():
		return unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: via.Unmap().As4()})
	}
	return unix.PktInfo6(&unix.Inet6Pktinfo{Addr: via.As16()})
}

// destination finds the address in the control messages:
// struct in_pktinfo {ifindex, spec_dst, addr}, struct in6_pktinfo {addr, ifindex}.
func destination(oob []byte) netip.Addr {
	for len(oob) > 0 {
		h, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			break
		}
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= 12:
			return netip.AddrFrom4([4]byte(data[4:8]))
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= 16:
			return netip.AddrFrom16([16]byte(data[:16]))
		}
		oob = rest
	}
	return netip.Addr{}
}

func (s *udpSocket) attend(uint32) {}
