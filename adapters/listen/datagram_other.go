//go:build !linux

package listen

import (
	"errors"
	"net"
	"net/netip"
)

const oobSize = 0

// askForDestination: answers leave from the address that the system chooses.
func askForDestination(*net.UDPConn) bool { return false }

func (e *endpoint) receive(buf, _ []byte) (n int, from netip.AddrPort, via netip.Addr, err error) {
	n, from, err = e.l.udp.ReadFromUDPAddrPort(buf)
	return n, from, via, err
}

func (e *endpoint) send(b []byte, to netip.AddrPort) error {
	_, err := e.l.udp.WriteToUDPAddrPort(b, to)
	return err
}

func isFatal(err error) bool { return errors.Is(err, net.ErrClosed) }
