package mqtt

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// mixed is what a publisher may send, in an order that makes runs.
func mixed(r *rand.Rand, v packet.Version) (frames [][]byte) {
	topics := []string{"a/1", "a/1", "a/1", "a/2", "b", "$queue/q", "none"}
	topic := topics[0]
	for i := range 60 {
		if r.IntN(6) == 0 {
			topic = topics[r.IntN(len(topics))]
		}
		m := pub(topic, fmt.Sprint(i, strings.Repeat("x", r.IntN(3)*r.IntN(90))), 0, 0)
		switch r.IntN(24) {
		case 0:
			m.QoS, m.ID = 1, uint16(i+1)
		case 1:
			m.Retain = true
		case 2:
			m.Payload = nil
		case 3:
			if v >= packet.V5 {
				m.Properties.SetStr(packet.ContentType, []byte("text/plain"))
			}
		}
		frames = append(frames, m.AppendTo(nil, v))
	}
	return frames
}

// PUBLISH packets that are taken together arrive, and are counted, as if each
// had come alone.
func TestARunIsWhatItsPacketsAre(t *testing.T) {
	for seed := range uint64(6) {
		var results [2]string
		for together := range 2 {
			runHere(t, nil, func(w *world) {
				r := rand.New(rand.NewPCG(seed, 1))
				v := []packet.Version{packet.V311, packet.V5}[seed%2]
				var readers []*peer
				for i, x := range []struct {
					v    packet.Version
					sub  *packet.Subscribe
					opts []connectOption
				}{
					{packet.V311, sub(1, "a/+", 0), nil},
					{packet.V5, sub(1, "a/+", 0), nil},
					{packet.V5, sub(1, "#", 1), []connectOption{num(packet.MaximumPacketSize, 60)}},
					{packet.V5, sub(1, "a/1", 0, 7), nil},
					{packet.V5, sub(1, "b", 0), []connectOption{num(packet.TopicAliasMaximum, 3)}},
					{packet.V311, sub(1, "$share/g/a/1", 0), nil},
				} {
					p := w.connect(fmt.Sprint("reader", i), x.v, x.opts...)
					p.send(x.sub)
					p.recv()
					readers = append(readers, p)
				}
				p := w.connect("publisher", v)
				for _, part := range [][][]byte{mixed(r, v), mixed(r, v)} {
					if together == 1 {
						p.Send(bytes.Join(part, nil))
						continue
					}
					for _, f := range part {
						p.Send(f)
					}
				}
				var s strings.Builder
				for _, x := range append(readers, p) {
					fmt.Fprintln(&s, strings.Join(x.recv(), "\n"))
				}
				count := func(name string, dir, qos int) {
					c := w.Host.Metrics.Traffic(Name)
					fmt.Fprintln(&s, name, qos, c.Messages[dir][qos].Load(), c.Bytes[dir][qos].Load())
				}
				for qos := range 2 {
					count("in", adapters.In, qos)
					count("out", adapters.Out, qos)
				}
				for _, dir := range directions {
					fmt.Fprintln(&s, dir, w.Host.Metrics.Counter("mqtt_packets_total", dir, "PUBLISH").Load())
				}
				fmt.Fprintln(&s, w.Router.Stats().Dropped)
				results[together] = s.String()
			})
		}
		if results[0] != results[1] {
			t.Errorf("seed %d: alone\n%s\ntogether\n%s", seed, results[0], results[1])
		}
	}
}

// What a publisher may send in one call bounds a run, and what is refused
// is refused for each packet.
func TestARunKeepsToWhatIsAllowed(t *testing.T) {
	for qos := range byte(3) {
		x := newBencher(t)
		p := x.connect(packet.V5, sub(1, "elsewhere", 0))
		in := publishes(packet.V5, qos, 10)
		x.turn.Begin()
		x.turn.Allow(4)
		x.out.Reset()
		x.out.Bound(x.turn)
		n, err := x.conns[p].Input(x.turn, in, &x.out)
		if want := len(in) / 10 * 4; n != want || err != nil || x.turn.Routed() != 4 || !x.out.More {
			t.Errorf("QoS %d: consumed %d of %d, want %d; %d were routed, more %t: %v", qos, n, len(in), want, x.turn.Routed(), x.out.More, err)
		}
		x.turn.Allow(core.Unbounded)
		x.turn.End()
	}
}

// What is denied is answered, counted and told of packet by packet, together as
// alone; MQTT 3 may end with the first.
func TestARunThatIsDeniedIsWhatItsPacketsAre(t *testing.T) {
	for _, x := range []struct {
		v      packet.Version
		qos    uint8
		closes string
		counts int // dropped or refused
	}{{packet.V5, 0, "", 5}, {packet.V5, 1, "", 5}, {packet.V5, 2, "", 5}, {packet.V311, 0, "ack", 5}, {packet.V311, 1, "ack", 0}, {packet.V311, 2, "ack", 0},
		{packet.V311, 0, "close", 0}, {packet.V311, 1, "close", 0}, {packet.V311, 2, "close", 0}} {
		var results [2]string
		for together := range 2 {
			var log bytes.Buffer
			o := func(o *adaptertest.Options) {
				o.Core = func(c *core.Options) {
					c.Authorizer = deny{"publish shut"}
					c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
						if a.Key == slog.TimeKey {
							return slog.Attr{}
						}
						return a
					}}))
				}
			}
			runHere(t, &Config{V3Denied: x.closes}, func(w *world) {
				p := w.connect("p", x.v)
				var in [][]byte
				for i := range 6 {
					topic := "open"
					if i > 0 {
						topic = "shut"
					}
					in = append(in, pub(topic, fmt.Sprint(i), x.qos, uint16(i+1)*min(uint16(x.qos), 1)).AppendTo(nil, x.v))
				}
				if together == 1 {
					p.Send(bytes.Join(in, nil))
				} else {
					for _, f := range in {
						p.Send(f)
					}
				}
				m := w.Host.Metrics
				counts := m.Counter("messages_dropped_total", Name, "acl").Load() + m.Counter("refused_total", Name, core.NotAuthorized.String()).Load()
				if counts != uint64(x.counts) {
					t.Errorf("%+v: %d are counted", x, counts)
				}
				results[together] = fmt.Sprint(strings.Join(p.recv(), "\n"), "\n", counts, m.Counter("mqtt_packets_total", "in", "PUBLISH").Load(), w.count("mqtt_qos2_held"),
					strings.Count(log.String(), "acl.denied"))
			}, o)
		}
		if results[0] != results[1] {
			t.Errorf("%+v: alone\n%s\ntogether\n%s", x, results[0], results[1])
		}
	}
}

func TestARunLeavesOutWhatIsTooLargeForTheReceiver(t *testing.T) {
	run(t, nil, func(w *world) {
		s, p := w.connect("s", packet.V5, num(packet.MaximumPacketSize, 100)), w.connect("p", packet.V5)
		s.send(sub(1, "a", 0))
		s.recv()
		for range 3 { // the driver refuses one in three
			var in []byte
			for _, payload := range []string{"1", "2", strings.Repeat("x", 200), "3"} {
				in = pub("a", payload, 0, 0).AppendTo(in, packet.V5)
			}
			p.Send(in)
			if got := s.recv(); len(got) != 3 {
				t.Errorf("%d packets came", len(got))
			}
		}
	})
}

// mixed1 is mixed for QoS 1, with identifiers from first on.
func mixed1(r *rand.Rand, v packet.Version, first int) (frames [][]byte) {
	topics := []string{"a/1", "a/1", "a/1", "a/2", "b", "none"}
	topic := topics[0]
	for i := range 60 {
		if r.IntN(8) == 0 {
			topic = topics[r.IntN(len(topics))]
		}
		m := pub(topic, fmt.Sprint(i, strings.Repeat("x", r.IntN(3)*r.IntN(90))), 1, uint16(first+i))
		switch r.IntN(24) {
		case 0:
			m.QoS, m.ID = 0, 0
		case 1:
			m.Retain = true
		case 2:
			m.Payload = nil
		case 3:
			m.Dup = true
		case 4:
			if v >= packet.V5 {
				m.Properties.SetStr(packet.ContentType, []byte("text/plain"))
			}
		case 5:
			if v < packet.V5 { // 5.0 compares it with those whose PUBACK waits
				m.ID = uint16(first)
			}
		}
		frames = append(frames, m.AppendTo(nil, v))
	}
	return frames
}

func TestARunOfQoS1IsWhatItsPacketsAre(t *testing.T) {
	for seed := range uint64(8) {
		var results [2]string
		for together := range 2 {
			runHere(t, nil, func(w *world) {
				r := rand.New(rand.NewPCG(seed, 2))
				v := []packet.Version{packet.V311, packet.V5}[seed%2]
				lasting := clean
				if seed%4 > 1 {
					lasting = keep(100)
				}
				var s strings.Builder
				var readers []*peer
				for i, filter := range []string{"a/+", "#", "a/1", "$share/g/a/1"} {
					p := w.connect(fmt.Sprint("reader", i), packet.V5, lasting, num(packet.ReceiveMaximum, 50))
					p.send(sub(1, filter, 1))
					p.recv()
					readers = append(readers, p)
				}
				p := w.connect("publisher", v)
				send := func(p *peer, parts [][]byte) {
					if together == 1 {
						parts = [][]byte{bytes.Join(parts, nil)}
					}
					for _, part := range parts {
						p.Send(part)
					}
				}
				for round := range 3 {
					send(p, mixed1(r, v, 1+100*round))
					fmt.Fprintln(&s, strings.Join(p.recv(), "\n"))
					for more := true; more; {
						more = false
						for _, x := range readers {
							got := x.recv()
							fmt.Fprintln(&s, strings.Join(got, "\n"))
							var acks [][]byte
							for _, line := range got {
								var id uint16
								if n, _ := fmt.Sscanf(line, "PUBLISH q1 #%d", &id); n == 1 {
									acks = append(acks, packet.AppendAck(nil, packet.V5, packet.PUBACK, id, packet.Success))
								}
							}
							if len(acks) > 0 {
								acks = append(acks, acks[0]) // a stray one
								send(x, acks)
								more = true
							}
						}
					}
				}
				for qos := range 2 {
					for dir := range 2 {
						c := w.Host.Metrics.Traffic(Name)
						fmt.Fprintln(&s, qos, dir, c.Messages[dir][qos].Load(), c.Bytes[dir][qos].Load())
					}
				}
				for _, dir := range directions {
					for _, kind := range []packet.Type{packet.PUBLISH, packet.PUBACK} {
						fmt.Fprintln(&s, dir, kind, w.Host.Metrics.Counter("mqtt_packets_total", dir, kind.String()).Load())
					}
				}
				fmt.Fprintln(&s, w.Host.Metrics.Counter("mqtt_stray_acks_total", "PUBACK").Load(), w.Router.Stats().Dropped)
				if n := w.Router.Stats().Namespaces[0]; n.InFlight != 0 || n.QueueMessages != 0 {
					t.Errorf("%d in flight, %d wait", n.InFlight, n.QueueMessages)
				}
				results[together] = s.String()
			})
		}
		if results[0] != results[1] {
			t.Errorf("seed %d: alone\n%s\ntogether\n%s", seed, results[0], results[1])
		}
	}
}

func TestAnIdentifierThatComesTwiceInARunIsInUse(t *testing.T) {
	run(t, nil, func(w *world) {
		s := w.connect("s", packet.V5, keep(100))
		s.send(sub(1, "a", 1))
		s.recv()
		p := w.connect("p", packet.V5)
		p.send(pub("a", "0", 1, 9)) // the topic is known
		p.recv()
		p.send(pub("a", "1", 1, 1), pub("a", "2", 1, 2), pub("a", "3", 1, 1), pub("a", "4", 1, 3))
		p.want("PUBACK #1", "PUBACK #2", "PUBACK #1 91", "PUBACK #3")
		s.want(`PUBLISH q1 #2 a "0"`, `PUBLISH q1 #3 a "1"`, `PUBLISH q1 #4 a "2"`, `PUBLISH q1 #5 a "4"`)
	})
}

func TestARunThatNobodyMayPublishIsRefusedPacketByPacket(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", packet.V5)
		p.send(pub("a", "1", 1, 1), pub("a", "2", 1, 2), pub("a", "3", 1, 3))
		p.want("PUBACK #1 87", "PUBACK #2 87", "PUBACK #3 87")
	}, denying("publish a"))
}
