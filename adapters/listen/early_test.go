package listen_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// Publishers and receivers of one loop and of two, on every transport: what a
// publisher says comes once and in order, to itself too.
func TestDeliveriesOfOneLoopKeepTheirOrder(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{}, func(t *testing.T, r *rig, i int) {
		a, b, p := r.client(t, i).login("a"), r.client(t, i).login("b"), r.client(t, i).login("p")
		for _, c := range []*client{a, b, p} {
			c.send("SUB x/#\nECHO in\n")
			c.expect("OK", "in")
		}
		const turns, each = 40, 50
		var want []string
		for turn := range turns {
			var say strings.Builder
			for n := range each {
				fmt.Fprintf(&say, "QPUB x/%d %d\n", n%3, turn*each+n)
				want = append(want, fmt.Sprintf("MSG x/%d %d", n%3, turn*each+n))
			}
			p.send(say.String())
		}
		for _, c := range []*client{a, b, p} {
			c.expect(want...)
		}
	})
}

// A reader that stops has what is published kept in its place, whether it was
// handed over or waits in its queue.
func TestAReaderThatStopsAndGoesOnLosesNothing(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{loops: 1}, func(t *testing.T, r *rig, i int) {
		slow, fast, p := r.client(t, i).login("slow"), r.client(t, i).login("fast"), r.client(t, i).login("p")
		for _, c := range []*client{slow, fast} {
			c.send("SUB x\nECHO in\n")
			c.expect("OK", "in")
		}
		const n = 1000      // within the limits of a queue, and more than sockets hold
		var rest [26]string // of each message another, which is lent and not copied
		for k := range rest {
			rest[k] = strings.Repeat(string(rune('a'+k)), 4000)
		}
		go func() {
			for k := range n / 10 {
				var say strings.Builder
				for j := range 10 {
					fmt.Fprintf(&say, "QPUB x %d%s\n", 10*k+j, rest[(10*k+j)%26])
				}
				if _, err := io.WriteString(p.nc, say.String()); err != nil {
					t.Error(err)
					return
				}
			}
		}()
		for k := range n {
			fast.expect(fmt.Sprintf("MSG x %d%s", k, rest[k%26]))
		}
		for k := range n {
			slow.expect(fmt.Sprintf("MSG x %d%s", k, rest[k%26]))
		}
	})
}

// A defect of a receiver's room costs neither its publisher nor another receiver
// anything.
func TestAPanicInDirectCostsTheReceiverAlone(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"line://127.0.0.1:0"}, loops: 1})
	bad, good, p := r.client(t, 0).login("bad"), r.client(t, 0).login("good"), r.client(t, 0).login("p")
	bad.send("SUB x\nECHO in\n")
	bad.expect("OK", "in")
	good.send("SUB y\nECHO in\n")
	good.expect("OK", "in")
	p.send("PUB x fine\nPUB x defect\nPUB y 1\nECHO there\n")
	p.expect("OK", "OK", "OK", "there")
	good.expect("MSG y 1")
	bad.expect("MSG x fine", "BYE internal error")
	bad.eof()
	if n := r.count("panics_recovered_total", "line"); n != 1 {
		t.Errorf("%d panics were counted", n)
	}
}

// What publishers lend lies in the one buffer of their loop, and has left, or
// was copied, before the next one is read.
func TestWhatPublishersLendIsNotOverwritten(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{loops: 1}, func(t *testing.T, r *rig, i int) {
		const publishers, each = 8, 100
		reader := r.client(t, i).login("reader")
		reader.send("SUB +\nECHO in\n")
		reader.expect("OK", "in")
		for k := range publishers {
			p := r.client(t, i).login(fmt.Sprint("p", k))
			say := fmt.Sprintf("QPUB %d %s\n", k, strings.Repeat(string(rune('a'+k)), 4000))
			go func() {
				for range each / 4 {
					if _, err := io.WriteString(p.nc, strings.Repeat(say, 4)); err != nil {
						t.Error(err)
						return
					}
				}
			}()
		}
		for range publishers * each {
			k, text, ok := strings.Cut(strings.TrimPrefix(reader.line(), "MSG "), " ")
			if want := strings.Repeat(string(rune('a'+k[0]-'0')), 4000); !ok || text != want {
				t.Fatalf("of %s came %.20q of %d bytes, want %.20q", k, text, len(text), want)
			}
		}
	})
}
