package stomp

import (
	"bytes"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
)

func newRoom(h *adapters.Host) (adapters.Room, error) { return New(h, DefaultConfig()), nil }

var sessionID = regexp.MustCompile(`session-[A-Z2-7]+`)

func lines(s ...string) []byte {
	var b bytes.Buffer
	for _, l := range s {
		b.WriteString(l + "\n")
	}
	return append(b.Bytes(), "\n\x00"...)
}

// What every protocol must do (ST9, ST10, ST22 among it).
func TestSTOMP_ST9_TheSuiteOfEveryProtocol(t *testing.T) {
	t.Parallel()
	connect := lines("CONNECT", "accept-version:1.2", "host:/")
	adaptertest.Run(t, adaptertest.Suite{
		Room: newRoom,
		Script: [][]byte{
			connect,
			lines("SUBSCRIBE", "id:1", "destination:/topic/other/+", "ack:client"),
			[]byte("SEND\ndestination:/topic/a/b\nreceipt:1\nk:\\c\\n\ncontent-length:3\n\nx\x00y\x00"),
			lines("BEGIN", "transaction:t"),
			lines("SEND", "destination:/queue/q", "transaction:t", "receipt:2"),
			lines("COMMIT", "transaction:t", "receipt:3"),
			lines("UNSUBSCRIBE", "id:1", "receipt:4"),
		},
		Equal: func(a, b []byte) bool {
			return string(sessionID.ReplaceAll(a, nil)) == string(sessionID.ReplaceAll(b, nil))
		},
		Oversized: [][]byte{
			append(connect, []byte(fmt.Sprintf("SEND\ndestination:/topic/a\ncontent-length:%d\n\n", 17<<20))...),
			append(connect, append([]byte("SEND\ndestination:/topic/a\nx:"), bytes.Repeat([]byte("a"), 9000)...)...),
			append(connect, append([]byte("SEND\n"), bytes.Repeat([]byte("a:b\n"), 101)...)...),
		},
		Farewell: func(r core.Reason, said []byte) error {
			if !bytes.HasPrefix(said, []byte("ERROR\nmessage:"+reasonMessage(r)+"\n")) {
				return fmt.Errorf("said %q", said)
			}
			return nil
		},
	})
}

func TestSTOMP_ST71_OneSlowConsumerDoesNotDelayAnother(t *testing.T) {
	t.Parallel()
	adaptertest.Test(t, newRoom, adaptertest.Options{}, func(t *testing.T, d *adaptertest.Driver) {
		slow, fast, pub := d.Open(), d.Open(), d.Open()
		for _, c := range []*adaptertest.Conn{slow, fast, pub} {
			c.Send(lines("CONNECT", "accept-version:1.2"))
			c.Send(lines("SUBSCRIBE", "id:1", "destination:/topic/a"))
			c.Recv()
		}
		pub.Send(lines("UNSUBSCRIBE", "id:1"))
		slow.Stall()
		body := bytes.Repeat([]byte("x"), 1000)
		for i := range 5000 {
			pub.Send([]byte(fmt.Sprintf("SEND\ndestination:/topic/a\nn:%d\ncontent-length:1000\n\n%s\x00", i, body)))
			if got := fast.Recv(); !bytes.Contains(got, []byte(fmt.Sprintf("\nn:%d\n", i))) {
				t.Fatalf("message %d: %.200q", i, got)
			}
		}
	})
}

func TestSTOMP_ST60_ATurnsAnswersLeaveTogether(t *testing.T) {
	t.Parallel()
	adaptertest.Test(t, newRoom, adaptertest.Options{}, func(t *testing.T, d *adaptertest.Driver) {
		c := d.Open()
		c.Send(lines("CONNECT", "accept-version:1.2"))
		c.Recv()
		var in []byte
		for i := range 100 {
			in = append(in, lines("SEND", "destination:/topic/nobody", fmt.Sprint("receipt:", i))...)
		}
		out := new(adapters.Output)
		d.Turn(func(turn *core.Turn) {
			if n, err := c.Room().Input(turn, in, out); n != len(in) || err != nil {
				t.Errorf("used %d, %v", n, err)
			}
		})
		if n := bytes.Count(out.B, []byte("RECEIPT\n")); n != 100 {
			t.Errorf("%d receipts in the first output", n)
		}
	})
}

func TestSTOMP_ST18_WhoDoesNotReadIsNotTakenForSilent(t *testing.T) {
	t.Parallel()
	o := adaptertest.Options{Limits: adapters.Limits{WriteBuffer: 10_000}}
	adaptertest.Test(t, newRoom, o, func(t *testing.T, d *adaptertest.Driver) {
		c, pub := d.Open(), d.Open()
		c.Send(lines("CONNECT", "accept-version:1.2", "heart-beat:1000,0"))
		c.Send(lines("SUBSCRIBE", "id:1", "destination:/topic/a"))
		pub.Send(lines("CONNECT", "accept-version:1.2"))
		c.Stall()
		for range 100 {
			pub.Send([]byte("SEND\ndestination:/topic/a\n\n" + string(bytes.Repeat([]byte("x"), 1000)) + "\x00"))
		}
		for range 10 {
			d.Advance(time.Second)
			c.Send([]byte("\n"))
		}
		if r, closed := c.Closed(); closed {
			t.Fatalf("closed: %v", r)
		}
	})
}
