package abuse

import (
	"net"
	"testing"

	"github.com/entrepot/entrepot/test/rig"
)

// target is a running gateway as its attackers see it.
type target struct {
	*rig.Gateway
	addresses map[string]chan net.Conn // of a datagram listener
}

// start runs a gateway with every listener; ws:// is shared by two protocols.
func start(t *testing.T, set ...string) *target {
	t.Helper()
	return &target{Gateway: rig.Start(t, rig.Options{Listen: []string{"mqtt", "ws", "stomp", "amqp", "coap", "mqttsn", "http"}, Set: set})}
}
