package stomp

import (
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
)

// Whatever comes after CONNECT, in whatever pieces: no panic, and the state
// machine either answers or ends the connection.
func FuzzSTOMP_Connection(f *testing.F) {
	for _, s := range []string{
		"SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client\n\n\x00SEND\ndestination:/queue/a\nreceipt:1\nreply-to:/temp-queue/x\n\nx\x00",
		"BEGIN\ntransaction:t\n\n\x00SEND\ndestination:/topic/a\ntransaction:t\n\nx\x00COMMIT\ntransaction:t\nreceipt:2\n\n\x00",
		"SUBSCRIBE\nid:1\ndestination:/topic/a.#\ndurable:true\n\n\x00UNSUBSCRIBE\nid:1\ndurable:true\n\n\x00DISCONNECT\nreceipt:9\n\n\x00",
		"NACK\nid:T_1@@session-1@@1\n\n\x00", "SEND\ndestination:/exchange/amq.topic/a\nexpires:1\npriority:9\nretain:true\n\n\x00",
	} {
		f.Add([]byte(s), byte(3), byte(7))
	}
	f.Fuzz(func(t *testing.T, in []byte, version, chunk byte) {
		d := adaptertest.New(t, newRoom, adaptertest.Options{})
		c := d.Open()
		c.SendString("CONNECT\naccept-version:" + []string{"1.0", "1.1", "1.2"}[version%3] + "\n\n\x00")
		c.SendSplit(in, 1+int(chunk))
		c.Recv()
		c.Drop()
	})
}
