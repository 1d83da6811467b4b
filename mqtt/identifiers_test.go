package mqtt

import (
	"testing"

	"github.com/entrepot/entrepot/mqtt/packet"
)

// A client that answers every PUBLISH with PUBREC, no PUBREL with PUBCOMP, and
// comes back for more, gets no more than there are identifiers: repeated
// PUBRELs do not count against its window, but they keep theirs.
func TestMQTT_MQ2_IdentifiersRunOut(t *testing.T) {
	cfg := &Config{Inflight: 20000}
	run(t, cfg, func(w *world) {
		opts := []connectOption{keep(1000), num(packet.ReceiveMaximum, 20000)}
		r := w.connect("r", v5, opts...)
		r.send(subs(1, "a"))
		r.send(sub(2, "a", 2))
		r.recv()
		p := w.connect("p", v5)
		for i := range 70 { // 70,000 messages
			var all []packet.Packet
			for n := range 1000 {
				all = append(all, pub("a", "x", 2, uint16(n+1)))
			}
			p.send(all...)
			all = all[:0]
			for n := range 1000 {
				all = append(all, ack(packet.PUBREL, uint16(n+1)))
			}
			p.send(all...)
			if got := len(p.recv()); got != 2000 {
				t.Fatalf("round %d: %d answers", i, got)
			}
		}
		inUse := map[uint16]bool{}
		receive := func(packets []packet.Packet) {
			var acks []packet.Packet
			for _, x := range packets {
				if m, ok := x.(*packet.Publish); ok {
					if inUse[m.ID] {
						t.Fatalf("identifier %d is in use", m.ID)
					}
					inUse[m.ID] = true
					acks = append(acks, ack(packet.PUBREC, m.ID))
				}
			}
			r.send(acks...)
		}
		receive(r.packets())
		for range 4 {
			r.Drop()
			r = w.dial("r", v5, append(opts, resume)...)
			receive(r.packets())
		}
		if len(inUse) != identifiers {
			t.Errorf("%d identifiers are in use", len(inUse))
		}
		r.recv()
		r.send(ping)
		r.want("PINGRESP")
		n := 0
		for id := range inUse { // one comes for each that is completed
			if n++; n > 100 {
				break
			}
			r.send(ack(packet.PUBCOMP, id))
			got := r.packets()
			if len(got) != 1 || got[0].(*packet.Publish).ID != id {
				t.Fatalf("got %v", got)
			}
		}
	})
}
