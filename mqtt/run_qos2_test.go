package mqtt

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// mixed2 is mixed1 for QoS 2: identifiers come twice, in a run and after it.
func mixed2(r *rand.Rand, v packet.Version, first int) (frames [][]byte) {
	for _, f := range mixed1(r, v, first) {
		var m packet.Publish
		h, _ := packet.Scan(f, 1<<20)
		if err := m.Parse(&packet.Rules{}, v, h.Flags, f[h.Head:]); err != nil {
			panic(err)
		}
		if m.QoS == 1 {
			m.QoS = 2
		}
		again := m.QoS == 2 && r.IntN(12) == 0
		if again && len(frames) > 0 && r.IntN(2) == 0 {
			frames = append(frames, frames[r.IntN(len(frames))])
		}
		frames = append(frames, m.AppendTo(nil, v))
		if again {
			frames = append(frames, frames[len(frames)-1])
		}
	}
	return frames
}

// answersTo is what a client says to what it got: the steps of QoS 2 with some
// said twice, some in the long form, some refused, and strays.
func answersTo(r *rand.Rand, v packet.Version, lines []string) (acks [][]byte) {
	say := func(kind packet.Type, id uint16) {
		acks = append(acks, packet.AppendAck(nil, v, kind, id, packet.Success))
	}
	for _, line := range lines {
		var id uint16
		var kind packet.Type
		switch {
		case scan(line, "PUBLISH q2 #%d", &id):
			kind = packet.PUBREC
		case scan(line, "PUBLISH q1 #%d", &id):
			kind = packet.PUBACK
		case scan(line, "PUBREL #%d", &id):
			kind = packet.PUBCOMP
		case scan(line, "PUBREC #%d", &id):
			kind = packet.PUBREL
		default:
			continue
		}
		switch r.IntN(24) {
		case 0:
			say(packet.PUBREL, 60000)
			say(packet.PUBREL, 60000)
		case 1:
			if v >= packet.V5 && kind == packet.PUBREC { // it ends the exchange
				acks = append(acks, ack(kind, id, packet.QuotaExceeded).AppendTo(nil, v))
				continue
			}
		case 2:
			if v >= packet.V5 { // success at length
				acks = append(acks, []byte{byte(kind)<<4 | flagsOf(kind), 3, byte(id >> 8), byte(id), 0})
				continue
			}
		case 3, 4:
			if kind != packet.PUBACK {
				say(kind, id)
			}
		}
		say(kind, id)
	}
	return acks
}

// flagsOf are the bits beside an acknowledgement's type.
func flagsOf(kind packet.Type) byte {
	if kind == packet.PUBREL {
		return 2
	}
	return 0
}

func scan(line, format string, id *uint16) bool {
	n, _ := fmt.Sscanf(line, format, id)
	return n == 1
}

// between is what stands between packets that come in one read: a PINGREQ keeps
// them from being taken together.
var between = [][]byte{ping.AppendTo(nil, packet.V5), nil}

// heard is recv without what answers between.
func heard(p *peer) []string {
	return slices.DeleteFunc(p.recv(), func(line string) bool { return line == "PINGRESP" })
}

// Runs of QoS 2, of PUBREC, PUBREL and PUBCOMP are what their packets are, for
// sessions that last and that do not, and with a client that comes back amid
// the steps.
func TestARunOfQoS2IsWhatItsPacketsAre(t *testing.T) {
	for seed := range uint64(16) {
		var results [2]string
		for together := range 2 {
			runHere(t, nil, func(w *world) {
				r := rand.New(rand.NewPCG(seed, 3))
				v := []packet.Version{packet.V311, packet.V5}[seed%2]
				opt := clean
				if lasting := seed%4 > 1; lasting && v >= packet.V5 {
					opt = keep(100)
				} else if lasting {
					opt = resume
				}
				var s strings.Builder
				var readers []*peer
				filters := []string{"a/1", "a/2", "b"}
				if seed%8 > 3 { // more than one queue for a topic
					filters = append(filters, "#", "$share/g/a/1")
				}
				join := func(i int) *peer {
					if v < packet.V5 {
						return w.dial(fmt.Sprint("reader", i), v, opt)
					}
					return w.dial(fmt.Sprint("reader", i), v, opt, num(packet.ReceiveMaximum, 50))
				}
				for i, filter := range filters {
					p := join(i)
					p.recv()
					p.send(sub(1, filter, 2))
					p.recv()
					readers = append(readers, p)
				}
				p := w.connect("publisher", v, opt)
				send := func(p *peer, parts [][]byte) { p.Send(bytes.Join(parts, between[together])) }
				for round := range 3 {
					send(p, mixed2(r, v, 1+40*round)) // some are in use: their PUBREL has not come
					got := heard(p)
					fmt.Fprintln(&s, strings.Join(got, "\n"))
					if round == 1 { // PUBREL is lost with the connection
						p = w.dial("publisher", v, opt)
						readers[0] = join(0)
					} else if acks := answersTo(r, v, got); len(acks) > 0 {
						send(p, acks)
						fmt.Fprintln(&s, strings.Join(heard(p), "\n"))
					}
					for more := true; more; {
						more = false
						for _, x := range readers {
							got := heard(x)
							fmt.Fprintln(&s, strings.Join(got, "\n"))
							if acks := answersTo(r, v, got); len(acks) > 0 {
								send(x, acks)
								more = true
							}
						}
					}
				}
				for qos := range 3 {
					for dir := range 2 {
						c := w.Host.Metrics.Traffic(Name)
						fmt.Fprintln(&s, qos, dir, c.Messages[dir][qos].Load(), c.Bytes[dir][qos].Load())
					}
				}
				for _, dir := range directions {
					for kind := packet.PUBLISH; kind <= packet.PUBCOMP; kind++ {
						fmt.Fprintln(&s, dir, kind, w.Host.Metrics.Counter("mqtt_packets_total", dir, kind.String()).Load())
					}
				}
				fmt.Fprintln(&s, w.count("mqtt_duplicates_total"), w.count("mqtt_qos2_held"), w.Router.Stats().Dropped, w.Router.Stats().Namespaces[0].InFlight)
				results[together] = s.String()
			})
		}
		if results[0] != results[1] {
			t.Errorf("seed %d: alone\n%s\ntogether\n%s", seed, results[0], results[1])
		}
		if seed == 1 && strings.Count(results[1], "PUBCOMP #") < 20 {
			t.Errorf("seed %d: too little was done:\n%s", seed, results[1])
		}
	}
}

// The Receive Maximum ends a run, and what is beyond it ends the connection.
func TestARunOfQoS2KeepsToTheReceiveMaximum(t *testing.T) {
	runHere(t, &Config{ReceiveMaximum: 4}, func(w *world) {
		s, p := w.connect("s", packet.V5), w.connect("p", packet.V5)
		s.send(sub(1, "a", 2))
		s.recv()
		p.send(pub("a", "0", 2, 1))
		p.want("PUBREC #1")
		var in []byte
		for id := uint16(2); id < 9; id++ {
			in = pub("a", fmt.Sprint(id), 2, id).AppendTo(in, packet.V5)
		}
		p.Send(in)
		got := strings.Join(heard(p), "\n")
		if !strings.HasPrefix(got, "PUBREC #2\nPUBREC #3\nPUBREC #4\nDISCONNECT 93") {
			t.Errorf("got %s", got)
		}
		if n := len(s.recv()); n != 4 {
			t.Errorf("%d came", n)
		}
	})
}

// A run of any kind waits for the store as its packets do, in their order, and no
// more answers wait than may.
func TestRunsOfQoS2WaitForTheStoreWithinTheBoundOfAnswers(t *testing.T) {
	const n = maxAnswers + 100
	g := &gated{Store: adaptertest.NewStore()}
	run(t, &Config{ReceiveMaximum: 65535, Inflight: 65535}, func(w *world) {
		r := w.reader("r", v5, "a", keep(100))
		p := w.connect("p", v5, keep(100))
		steps := func(x *peer, answer packet.Type, frame func(id uint16) []byte, first uint16) {
			t.Helper()
			var in, want []byte
			for i := range uint16(n) {
				in = append(in, frame(first+i)...)
				want = packet.AppendAck(want, v5, answer, first+i, packet.Success)
			}
			open := g.shut()
			one := len(frame(1))
			x.Send(in[:one]) // so that the runs do not end with the bound
			x.Send(in[one:])
			x.want()
			if got := maxAnswers - x.Room().(*conn).answers.room(); got != maxAnswers || !x.Paused() {
				t.Errorf("%d answers of %s wait; reading has stopped: %t", got, answer, x.Paused())
			}
			open()
			w.Settle()
			if got := x.Recv(); !bytes.Equal(got, want) || x.Paused() {
				t.Errorf("%d bytes of %s, want %d; reading has stopped: %t", len(got), answer, len(want), x.Paused())
			}
		}
		say := func(kind packet.Type) func(uint16) []byte {
			return func(id uint16) []byte { return packet.AppendAck(nil, v5, kind, id, packet.Success) }
		}
		steps(p, packet.PUBREC, func(id uint16) []byte { return pub("a", "x", 2, id).AppendTo(nil, v5) }, 1)
		steps(p, packet.PUBCOMP, say(packet.PUBREL), 1)
		if got := r.recv(); len(got) != n || got[0] != `PUBLISH q2 #2 a "x"` {
			t.Fatalf("%d came, with %s", len(got), got[0])
		}
		steps(r, packet.PUBREL, say(packet.PUBREC), 2)
		for id := range uint16(n) {
			r.Send(say(packet.PUBCOMP)(2 + id))
		}
		if got := w.Router.Stats().Namespaces[0]; got.InFlight != 0 || got.QueueMessages != 0 {
			t.Errorf("%d in flight, %d wait", got.InFlight, got.QueueMessages)
		}
	}, func(o *adaptertest.Options) { o.Store = g })
}

// What waits for nothing answers behind what waits.
func TestAnswersToARunLeaveInOrder(t *testing.T) {
	runGated(t, func(w *world, g *gated) {
		w.reader("away", v5, "d", keep(100)).Drop()
		r := w.reader("here", v5, "t")
		p := w.connect("p", v5)
		p.send(pub("t", "0", 2, 1), pub("t", "1", 2, 2))
		p.want("PUBREC #1", "PUBREC #2")
		r.want(`PUBLISH q2 #2 t "0"`, `PUBLISH q2 #3 t "1"`)
		open := g.shut()
		p.send(pub("d", "2", 1, 3), pub("t", "3", 2, 4), pub("t", "4", 2, 5), pub("t", "5", 2, 6), ack(packet.PUBREL, 1), ack(packet.PUBREL, 2))
		p.want()
		r.want(`PUBLISH q2 #4 t "3"`, `PUBLISH q2 #5 t "4"`, `PUBLISH q2 #6 t "5"`)
		open()
		w.Settle()
		p.want("PUBACK #3", "PUBREC #4", "PUBREC #5", "PUBREC #6", "PUBCOMP #1", "PUBCOMP #2")
	})
}

// A queue that becomes full in the middle refuses the rest: 5.0 is told and its
// identifiers are free, 3.x is not read from for a while after the first.
func TestARunThatIsRefusedFromItsMiddleOn(t *testing.T) {
	for _, qos := range []byte{1, 2} {
		for together := range 2 {
			runHere(t, nil, func(w *world) {
				w.Turn(func(t *core.Turn) {
					s, _ := w.Router.Attach(t, core.Client{}, nobody{})
					s.Declare(t, core.QueueSpec{Name: "q", Durable: true, Limits: core.QueueLimits{Messages: 3}})
				})
				kind := answerOf(qos)
				send := func(p *peer, ids ...uint16) (lines []string) {
					var parts [][]byte
					for _, id := range ids {
						parts = append(parts, pub("$queue/q", fmt.Sprint(id), qos, id).AppendTo(nil, p.v))
					}
					p.Send(bytes.Join(parts, between[together]))
					return heard(p)
				}
				held := func() uint64 { return w.count("mqtt_qos2_held") }
				p := w.connect("p", v5, keep(100))
				got := send(p, 1, 2, 3, 4, 5)
				want := []string{fmt.Sprint(kind, " #1"), fmt.Sprint(kind, " #2"), fmt.Sprint(kind, " #3"), fmt.Sprint(kind, " #4 97"), fmt.Sprint(kind, " #5 97")}
				if !slices.Equal(got, want) {
					t.Errorf("5.0, together %d: got %q", together, got)
				}
				if n := held(); n != uint64(qos-1)*3 {
					t.Errorf("5.0, together %d: %d are held", together, n)
				}
				r := w.connect("r", v5)
				r.send(sub(1, "$queue/q", 0))
				old := w.connect("old", v311)
				send(old, 9) // the topic is known
				r.recv()
				r.send(unsub(2, "$queue/q"))
				before := [3]uint64{held(), w.count("mqtt_packets_total", "in", "PUBLISH"), w.Host.Metrics.Traffic(Name).Messages[0][qos].Load()}
				got = send(old, 1, 2, 3, 4, 5, 6)
				want = []string{fmt.Sprint(kind, " #1"), fmt.Sprint(kind, " #2"), fmt.Sprint(kind, " #3")}
				after := [3]uint64{before[0] + uint64(qos-1)*3, before[1] + 4, before[2] + 4}
				if now := [3]uint64{held(), w.count("mqtt_packets_total", "in", "PUBLISH"), w.Host.Metrics.Traffic(Name).Messages[0][qos].Load()}; !slices.Equal(got, want) || !old.Paused() || now != after {
					t.Errorf("3.1.1, together %d: got %q, reading has stopped: %t; counted %v, then %v", together, got, old.Paused(), before, now)
				}
				r.send(sub(3, "$queue/q", 0)) // there is room for the rest
				w.Advance(1100 * time.Millisecond)
				if got, want := heard(old), []string{fmt.Sprint(kind, " #5"), fmt.Sprint(kind, " #6")}; !slices.Equal(got, want) {
					t.Errorf("3.1.1, together %d: got %q", together, got)
				}
			})
		}
	}
}
