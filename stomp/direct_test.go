package stomp

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
)

// One in three deliveries takes the way through the queue.
func TestWhatGoesOutAsItComesKeepsItsPlace(t *testing.T) {
	t.Parallel()
	d := adaptertest.New(t, newRoom, adaptertest.Options{})
	sub, pub := d.Open(), d.Open()
	sub.SendString("CONNECT\naccept-version:1.2\n\n\x00SUBSCRIBE\nid:1\ndestination:/topic/a.*\n\n\x00SUBSCRIBE\nid:2\ndestination:/topic/b.*\nack:client\n\n\x00")
	pub.SendString("CONNECT\naccept-version:1.2\n\n\x00")
	sub.Recv()
	const total = 1500
	var sent strings.Builder
	var got []byte
	for i := range total {
		fmt.Fprintf(&sent, "SEND\ndestination:/topic/%s.%d\nn:%d\n\n%s\x00", []string{"a", "b"}[i/5%2], i%7, i, strings.Repeat("x", i%300))
		if i%50 == 49 {
			pub.SendString(sent.String())
			sent.Reset()
			got = append(got, sub.Recv()...)
		}
	}
	if n := bytes.Count(got, []byte("MESSAGE\n")); n != total {
		t.Fatalf("%d of %d came", n, total)
	}
	next := map[string]int{"1": 0, "2": 5}
	for at, f := range bytes.Split(bytes.TrimSuffix(got, []byte{0}), []byte{0}) {
		head, body, _ := strings.Cut(strings.TrimLeft(string(f), "\n"), "\n\n")
		var id, n, number string
		for _, line := range strings.Split(head, "\n") {
			switch name, v, _ := strings.Cut(line, ":"); name {
			case "subscription":
				id = v
			case "n":
				n = v
			case "message-id":
				number = v[strings.LastIndexByte(v, '@')+1:]
			}
		}
		if want := next[id]; n != fmt.Sprint(want) || len(body) != want%300 {
			t.Fatalf("subscription %q has message %s with %d octets, want %d", id, n, len(body), want)
		}
		if number != fmt.Sprint(at+1) {
			t.Fatalf("message-id %s of message %d", number, at+1)
		}
		if next[id]++; next[id]%5 == 0 {
			next[id] += 5
		}
	}
}

// One in three runs, and of those not taken one in three messages, takes the way
// through the queue. What a client gets does not tell which.
func TestARunIsWrittenAsItsMessagesOneByOne(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{{}, {TrailingLF: true}} {
		d := adaptertest.New(t, func(h *adapters.Host) (adapters.Room, error) { return New(h, cfg), nil }, adaptertest.Options{})
		sub, pub := d.Open(), d.Open()
		sub.SendString("CONNECT\naccept-version:1.2\n\n\x00SUBSCRIBE\nid:a:1\ndestination:/topic/a.*\n\n\x00")
		pub.SendString("CONNECT\naccept-version:1.2\n\n\x00")
		said := string(sub.Recv())
		session := said[strings.Index(said, "\nsession:")+len("\nsession:"):]
		session, _, _ = strings.Cut(session, "\n")
		end, n := "\x00", 0
		if cfg.TrailingLF {
			end += "\n"
		}
		for i := range 30 {
			topic, bodies := fmt.Sprint("a/", i/4%3), []string{"one", "", strings.Repeat("x", 7*i), "with\x00NUL"}
			if i%2 == 0 {
				d.Together(topic, bodies...)
			} else {
				bodies = bodies[:1]
				pub.SendString("SEND\ndestination:/topic/" + topic + "\ncontent-length:3\n\none\x00")
			}
			var want strings.Builder
			for _, b := range bodies {
				n++
				fmt.Fprintf(&want, "MESSAGE\nsubscription:a\\c1\ndestination:/topic/a.%d\nmessage-id:T_a\\c1@@%s@@%d\nredelivered:false\n", i/4%3, session, n)
				if b != "" {
					fmt.Fprintf(&want, "content-length:%d\n", len(b))
				}
				want.WriteString("\n" + b + end)
			}
			if got := string(sub.Recv()); got != want.String() {
				t.Fatalf("%d: got %q\nwant %q", i, got, want.String())
			}
		}
		if n := d.Host.Metrics.Counter("stomp_frames_total", "MESSAGE", "out").Load(); n != 15*4+15 {
			t.Errorf("%d frames are counted", n)
		}
	}
}

// direct subscribes a peer and gives it one message as a loop does, with what
// it has appended.
func direct(w *world, ack string) (p *peer, did bool) {
	p = w.connect("1.2")
	p.say("SUBSCRIBE", "id:1", "destination:/topic/a", "ack:"+ack)
	w.settle()
	c := p.conn.(*conn)
	m := core.NewMessage([]byte("early"))
	m.Topic = "a"
	d := &core.Delivery{Message: m, Consumer: c.subs.byKey["T_1"].consumer, Seq: 1, Attempt: 1}
	early := new(adapters.Output)
	p.turn.Begin()
	did = c.Direct(p.turn, d, early)
	p.turn.End()
	p.out.Early(early)
	return p, did
}

func TestWhatWentOutAsItCameComesBeforeTheReceiptOfItsUnsubscribe(t *testing.T) {
	in(t, Config{}, func(w *world) {
		p, did := direct(w, "auto")
		if !did {
			t.Fatal("refused")
		}
		p.say("UNSUBSCRIBE", "id:1", "receipt:r")
		got := p.frames()
		if len(got) != 2 || got[0].body != "early" || got[1].cmd != "RECEIPT" {
			t.Fatalf("%v", got)
		}
	})
}

func TestWhatWentOutAsItCameComesBeforeAnError(t *testing.T) {
	for name, end := range map[string]func(p *peer){
		"input": func(p *peer) { p.say("NONSENSE") },
		"evict": func(p *peer) { p.Evict(core.Kicked) },
	} {
		t.Run(name, func(t *testing.T) {
			in(t, Config{}, func(w *world) {
				p, _ := direct(w, "auto")
				end(p)
				got := p.frames()
				if len(got) != 2 || got[0].body != "early" || got[1].cmd != "ERROR" {
					t.Fatalf("%v", got)
				}
			})
		})
	}
}

func TestWhatNeedsAnAckTakesItsWayThroughTheQueue(t *testing.T) {
	in(t, Config{}, func(w *world) {
		p, did := direct(w, "client")
		if did {
			t.Fatal("taken")
		}
		p.none()
	})
}
