package mqtt

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

func TestTheRoomPassesTheSuiteOfEveryStreamProtocol(t *testing.T) {
	t.Parallel()
	for _, v := range []packet.Version{v31, v311, v5} {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			connect := &packet.Connect{Version: v, CleanStart: true, ClientID: []byte("suite")}
			script := [][]byte{
				connect.AppendTo(nil, v), sub(1, "a/#", 1).AppendTo(nil, v), pub("a/b", "x", 0, 0).AppendTo(nil, v),
				pub("a/b", "y", 1, 2).AppendTo(nil, v), pub("a/b", "z", 2, 3).AppendTo(nil, v),
				ack(packet.PUBREL, 3).AppendTo(nil, v), ping.AppendTo(nil, v), unsub(4, "a/#").AppendTo(nil, v),
			}
			head := connect.AppendTo(nil, v)
			adaptertest.Run(t, adaptertest.Suite{
				Room:      roomWith(nil),
				Script:    script,
				Equal:     sameStreams,
				Oversized: [][]byte{append(bytes.Clone(head), 0x30, 0xff, 0xff, 0xff, 0x7f), {0x10, 0xff, 0xff, 0xff, 0x7f}},
				Farewell: func(r core.Reason, said []byte) error {
					if v < v5 && len(said) > 0 || v == v5 && (len(said) < 3 || said[0] != 0xe0) {
						return fmt.Errorf("said % x", said)
					}
					return nil
				},
			})
		})
	}
}

// sameStreams compares the deliveries, and what is not a delivery: how the two
// interleave depends on how many packets came at once (MF7).
func sameStreams(a, b []byte) bool {
	split := func(in []byte) (streams [2][]byte) {
		for len(in) > 0 {
			h, state := packet.Scan(in, 0)
			if state != packet.Complete {
				break
			}
			i := 0
			if h.Type == packet.PUBLISH {
				i = 1
			}
			streams[i] = append(streams[i], in[:h.Size()]...)
			in = in[h.Size():]
		}
		return streams
	}
	x, y := split(a), split(b)
	return bytes.Equal(x[0], y[0]) && bytes.Equal(x[1], y[1])
}
