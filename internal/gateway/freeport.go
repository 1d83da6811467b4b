package gateway

import (
	"io"
	"net"
	"strconv"

	"github.com/entrepot/entrepot/internal/config"
)

// FreePorts are ports that all addresses together could have just now: of each its own, or the next one above that neither
// another process nor another of the addresses has.
func FreePorts(list []config.Address) []int {
	ports := make([]int, len(list))
	var held []io.Closer
	defer func() {
		for _, h := range held {
			_ = h.Close()
		}
	}()
	take := func(a config.Address, port int) bool {
		h, err := hold(a.Scheme.Network, net.JoinHostPort(a.Host, strconv.Itoa(port)))
		if err == nil {
			held = append(held, h)
		}
		return err == nil
	}
	var moving []int
	for i, a := range list { // whoever can stay stays
		ports[i] = a.Port
		if a.Scheme.Network != "unix" && !take(a, a.Port) {
			moving = append(moving, i)
		}
	}
	for _, i := range moving {
		a := list[i]
		for port := a.Port + 1; port <= min(a.Port+1000, 65535); port++ {
			if take(a, port) {
				ports[i] = port
				break
			}
		}
	}
	return ports
}

func hold(network, address string) (io.Closer, error) {
	if network == "udp" {
		return net.ListenPacket("udp", address)
	}
	return net.Listen("tcp", address)
}
