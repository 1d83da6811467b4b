// Package standard lists what the stock binary contains: the protocols, one line each. Nothing registers itself.
// docs/adding-a-protocol.md tells how to add one.
package standard

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/amqp"
	"github.com/entrepot/entrepot/coap"
	"github.com/entrepot/entrepot/mqtt"
	"github.com/entrepot/entrepot/mqttsn"
	"github.com/entrepot/entrepot/stomp"
)

// Protocols are the protocols of the stock binary.
func Protocols() []adapters.Registration {
	return []adapters.Registration{
		mqtt.Registration(),
		mqttsn.Registration(),
		coap.Registration,
		stomp.Registration(),
		amqp.Registration(),
	}
}
