package gateway

import (
	"net"
	"strconv"

	"github.com/entrepot/entrepot/internal/config"
)

// FreePort is the next port above the address's that nobody holds just now; the same port if there is none.
func FreePort(a config.Address) int {
	for port := a.Port + 1; port <= min(a.Port+1000, 65535); port++ {
		if free(a.Scheme.Network, net.JoinHostPort(a.Host, strconv.Itoa(port))) {
			return port
		}
	}
	return a.Port
}

func free(network, address string) bool {
	if network == "udp" {
		c, err := net.ListenPacket("udp", address)
		if err != nil {
			return false
		}
		return c.Close() == nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	return l.Close() == nil
}
