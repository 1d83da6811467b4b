package gateway

import (
	"net"
	"strconv"

	"github.com/entrepot/entrepot/internal/config"
)

// FreePort is the address's port if nobody holds it just now, or the next one above it that nobody holds.
func FreePort(a config.Address) int {
	for port := a.Port; port <= min(a.Port+1000, 65535); port++ {
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
