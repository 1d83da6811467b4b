package coap

import (
	"testing"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
)

func TestCoAP_DatagramSuite(t *testing.T) {
	t.Parallel()
	var steps [][]byte
	for i, m := range []*message.Message{
		{Type: message.CON, Code: message.PUT, Payload: []byte("22.5")},
		{Type: message.CON, Code: message.GET, Options: message.Options{{Number: message.Observe}}},
		{Type: message.NON, Code: message.POST, Payload: []byte("23")},
		{Type: message.CON, Code: message.GET},
	} {
		m.ID = uint16(i)
		m.Token, _ = message.NewToken([]byte{byte(i)})
		m.Options.Add(message.URIPath, []byte("ps"))
		m.Options.Add(message.URIPath, []byte("a"))
		steps = append(steps, m.AppendTo(nil))
	}
	adaptertest.RunDatagram(t, adaptertest.DatagramSuite{
		Room:   func(h *adapters.Host) (adapters.Room, error) { return New(h, Config{}) },
		Script: steps,
	})
}
