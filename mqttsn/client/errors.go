package client

import (
	"fmt"

	"github.com/entrepot/entrepot/mqttsn/packet"
)

type clientError string

func (e clientError) Error() string { return "mqttsn: " + string(e) }

// What calls of a Client return besides Refused and the errors of the socket.
const (
	ErrTimeout      = clientError("no answer from the gateway")
	ErrClosed       = clientError("client is closed")
	ErrDisconnected = clientError("disconnected by the gateway")
	ErrAsleep       = clientError("client is asleep")
	ErrNoSession    = clientError("not connected: only QoS -1 can be published")
	ErrTooLarge     = clientError("message does not fit into a datagram")
	ErrTopic        = clientError("topic cannot be named so")
)

// Refused is a return code other than accepted.
type Refused struct {
	By   packet.Type // the answer that carried it
	Code packet.Code
}

// Error implements error.
func (e *Refused) Error() string { return fmt.Sprintf("mqttsn: %v: %v", e.By, e.Code) }

func refused(by packet.Type, c packet.Code) error {
	if c == packet.Accepted {
		return nil
	}
	return &Refused{by, c}
}
