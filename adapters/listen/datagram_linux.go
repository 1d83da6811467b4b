package listen

import (
	"errors"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// oobSize holds one IP_PKTINFO or IPV6_PKTINFO.
const oobSize = 64

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

// receive reads one datagram.
func (e *endpoint) receive(buf, oob []byte) (n int, from netip.AddrPort, via netip.Addr, err error) {
	if !e.l.wildcard {
		n, from, err = e.l.udp.ReadFromUDPAddrPort(buf)
		return n, from, via, err
	}
	n, m, _, from, err := e.l.udp.ReadMsgUDPAddrPort(buf, oob)
	if err == nil {
		via = destination(oob[:m])
	}
	return n, from, via, err
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

// send writes one datagram, from the address that its receiver knows.
func (e *endpoint) send(b []byte, to netip.AddrPort) error {
	via, ok := e.answers[to]
	if !ok {
		_, err := e.l.udp.WriteToUDPAddrPort(b, to)
		return err
	}
	var oob []byte
	if via.Is4() || via.Is4In6() {
		oob = unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: via.Unmap().As4()})
	} else {
		oob = unix.PktInfo6(&unix.Inet6Pktinfo{Addr: via.As16()})
	}
	_, _, err := e.l.udp.WriteMsgUDPAddrPort(b, oob, to)
	return err
}

// isFatal reports that the socket is of no use any more.
func isFatal(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, unix.EBADF) || errors.Is(err, unix.ENOTSOCK)
}
