package listen

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
)

// Try takes an address as a listener would (network: tcp, udp or unix), so
// that somebody learns whether it can be had. Closing gives it back. Of a Unix
// socket nothing is made: it only looks.
func Try(network, addr string) (io.Closer, error) {
	switch network {
	case "udp":
		a, err := net.ResolveUDPAddr("udp", addr)
		if err != nil {
			return nil, err
		}
		return net.ListenUDP("udp", a)
	case "unix":
		return nothing{}, tryUnix(addr)
	}
	return net.Listen("tcp", addr)
}

type nothing struct{}

func (nothing) Close() error { return nil }

func tryUnix(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		dir, err := os.Stat(filepath.Dir(path))
		if err == nil && !dir.IsDir() {
			err = fmt.Errorf("%s is no directory", filepath.Dir(path))
		}
		return err
	}
	if info.Mode()&os.ModeSocket == 0 {
		return errNoSocket
	}
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return errInUse
	} else if !isRefused(err) {
		return fmt.Errorf("cannot tell whether somebody listens there: %w", err)
	}
	return nil
}
