package mqtt

import (
	"bytes"
	"encoding/binary"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// runBytes is how long a run may become, so that its bytes are in the cache when
// they leave.
const runBytes = 64 << 10

// First bytes of packets that may be taken together.
const (
	plain0  = byte(packet.PUBLISH) << 4      // of QoS 0, not retained
	plain1  = byte(packet.PUBLISH)<<4 | 1<<1 // of QoS 1, not retained, no repetition
	plain2  = byte(packet.PUBLISH)<<4 | 2<<1 // of QoS 2, likewise
	puback  = byte(packet.PUBACK) << 4
	pubrec  = byte(packet.PUBREC) << 4
	pubrel  = byte(packet.PUBREL)<<4 | 2
	pubcomp = byte(packet.PUBCOMP) << 4
)

// together takes the packet at the start of in with those behind it that are
// alike. It returns their size, 0 if it comes alone. in[h.Size()] is as in[0].
func (c *conn) together(t *core.Turn, sc *scratch, h packet.Header, in []byte, out *adapters.Output) (size int, err error) {
	switch in[0] {
	case puback, pubrec, pubrel, pubcomp:
		return c.ackRun(t, sc, in, out), nil
	case plain0:
		if common := c.common(h, in); common > 0 {
			return c.publishRun(t, sc, h, in, common)
		}
	case plain1, plain2:
		if qos := h.Flags >> 1; c.begins(h, in, qos) {
			return c.publishAcknowledged(t, sc, h, in, qos, out)
		}
	}
	return 0, nil
}

// common tells how many bytes behind the fixed header the next PUBLISH must share
// with the one at the start of in to be of its run: that is of QoS 0, to the
// topic of the last one, without properties. 0: it makes no run.
//
//	+------+--------+--------------+-----------+-----------------+---------
//	| 0x30 | length | topic length | the topic | 0 if it is 5.0  | payload
//	+------+--------+--------------+-----------+-----------------+---------
func (c *conn) common(h packet.Header, in []byte) int {
	if c.room.set.places {
		return 0
	}
	known := c.session.LastTopic()
	n, body := 2+len(known), in[h.Head:h.Size()]
	if known == "" || len(body) < n || int(binary.BigEndian.Uint16(body)) != len(known) || string(body[2:n]) != known {
		return 0
	}
	if c.version >= packet.V5 {
		if len(body) == n || body[n] != 0 {
			return 0
		}
		n++
	}
	return n
}

// publishRun takes the PUBLISH at the start of in together with those of its
// run. It returns their size.
func (c *conn) publishRun(t *core.Turn, sc *scratch, h packet.Header, in []byte, common int) (size int, err error) {
	run, topic := &sc.run, in[h.Head+2:][:len(c.session.LastTopic())]
	defer run.End()
	mt, r := c.session.Route(t, topic)
	if r == core.OK || c.deniesAlike(r) {
		size = c.gather(t, run, h, in, common)
	} else {
		size = h.Size()
		c.first(run, h, in, common)
	}
	t.Publishes(run.Len() - 1) // Route has counted the first
	t.Count(c.room.count.packets[adapters.In][packet.PUBLISH], uint64(run.Len()))
	c.room.traffic.CountAll(t, adapters.In, 0, run.Len(), run.Bytes())
	if r != core.OK {
		c.session.DeniedToo(run.Len() - 1)
		return size, c.refused0(t, r, run.Len())
	}
	if !mt.Any() || c.session.PublishRun(t, mt, run) {
		return size, nil
	}
	for i := range run.Len() {
		_, _, r = c.session.Publish(t, mt, run.At(i))
		if err = c.refused0(t, r, 1); err != nil {
			break
		}
	}
	return size, err
}

// deniesAlike tells that a refusal holds for all of a run, which goes on after
// it: the topic is the same, and so is the right to it.
func (c *conn) deniesAlike(r core.Reason) bool {
	return r == core.NotAuthorized && (c.version >= packet.V5 || !c.room.set.v3DeniedCloses)
}

// first begins a run.
func (c *conn) first(run *core.Run, h packet.Header, in []byte, common int) {
	run.Begin(c.session.LastTopic(), Name)
	run.Add(in[h.Head+common:h.Size()], h.Size())
}

// gather makes a run of as many messages as there are and may be published now.
func (c *conn) gather(t *core.Turn, run *core.Run, h packet.Header, in []byte, common int) (size int) {
	c.first(run, h, in, common)
	size = h.Size()
	most := min(core.MaxRun, 1+t.Left())
	for run.Len() < most && size < runBytes {
		next, ok := c.alike(h, in, in[size:], common)
		if !ok {
			break
		}
		run.Add(in[size+next.Head+common:size+next.Size()], next.Size())
		size += next.Size()
	}
	run.Encoded(frameKey(c.version, false), in[:size])
	return size
}

// alike is the header of the packet at the start of rest, if it is complete and
// has the first byte, and so many at the start of its body, of the one at the start
// of in. Where it is as long, one comparison tells.
func (c *conn) alike(h packet.Header, in, rest []byte, common int) (next packet.Header, ok bool) {
	if n := h.Head + common; len(rest) >= h.Size() && bytes.Equal(rest[:n], in[:n]) {
		return h, true
	}
	if len(rest) == 0 || rest[0] != in[0] {
		return h, false
	}
	next, state := packet.Scan(rest, c.room.set.packetBytes)
	return next, state == packet.Complete && next.Body >= common && bytes.Equal(rest[next.Head:][:common], in[h.Head:][:common])
}

// DirectRun sends a run that came as it is to go out.
func (c *conn) DirectRun(t *core.Turn, d *core.Delivery, run *core.Run, out *adapters.Output) bool {
	frames := run.Frames(frameKey(c.version, false))
	if frames == nil || c.phase != connected || len(d.IDs) > 0 || c.extra.out() != nil || c.tooLarge(run.Longest()) {
		return false
	}
	out.Lend(frames)
	t.Count(c.room.count.packets[adapters.Out][packet.PUBLISH], uint64(run.Len()))
	c.room.traffic.CountAll(t, adapters.Out, 0, run.Len(), run.Bytes())
	c.room.translated.SentRun(out, run, adapters.Whole)
	return true
}
