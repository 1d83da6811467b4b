package gateway

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// floodFor is the variable that makes the flood last; without it, it ends when the level refuse was seen.
const floodFor = "ENTREPOT_FLOOD"

// The memory of the control group, and what of it GOMEMLIMIT is (90 %).
const (
	groupMemory = 256 << 20
	goMemory    = groupMemory / 10 * 9
)

// TestSecurity_O5_R2_AFloodStaysWithinTheMemory publishes to a session that is away, connects with sessions that last, and
// retains on ever new topics, as fast as it is read. The level refuse is entered; the process stays within the memory of its
// group and answers; and who had a session gets it.
func TestSecurity_O5_R2_AFloodStaysWithinTheMemory(t *testing.T) {
	long, _ := time.ParseDuration(os.Getenv(floodFor))
	c := startChild(t, "overload: {cpu: false}, publish_rate: unlimited", "GOGC=400", fmt.Sprintf("GOMEMLIMIT=%d", goMemory))
	away := c.dial(0)
	away.send("\x10\x14\x00\x04MQTT\x05\x02\x00\x00\x05\x11\x00\x00\x0e\x10\x00\x02aw") // session expiry 3600
	away.want("CONNACK", "\x00")
	away.send(subscribe5)
	away.want("SUBACK", "\x90\x04\x00\x01\x00\x01")
	away.Close()

	f := &flood{c: c, end: make(chan struct{})}
	for n := range 4 {
		f.run(func() { f.publish(n) })
	}
	for n := range 2 {
		f.run(func() { f.connect(n) })
		f.run(func() { f.retain(n) })
	}
	began := time.Now()
	slowest := time.Duration(0)
	most, resident := int64(0), int64(0)
	for tick := time.NewTicker(100 * time.Millisecond); ; <-tick.C {
		asked := time.Now()
		body := c.ask("/metrics")
		slowest = max(slowest, time.Since(asked))
		most = max(most, valueOf(t, body, "entrepot_memory_bytes"))
		resident = max(resident, c.resident())
		if time.Since(began) >= max(long, 2*time.Second) && c.log.count("level=refuse") > 0 {
			break
		}
		if time.Since(began) > long+3*time.Minute {
			t.Fatalf("the level refuse was not entered; %d MiB", most>>20)
		}
	}
	close(f.end)
	f.wg.Wait()
	t.Logf("%v: Go %d MiB of %d, resident %d MiB of %d, slowest answer %v, %d sessions", time.Since(began).Round(time.Second), most>>20, goMemory>>20,
		resident>>20, groupMemory>>20, slowest.Round(time.Millisecond), valueOf(t, c.ask("/metrics"), `entrepot_sessions{namespace="default",state="offline"}`))
	if most > groupMemory || !raceEnabled && resident > groupMemory {
		t.Errorf("Go has used %d MiB, the process %d MiB, of %d", most>>20, resident>>20, groupMemory>>20)
	}
	if bound := 20 * time.Second; slowest > bound || long > 0 && slowest > time.Second {
		t.Errorf("the admin listener answered after %v", slowest)
	}
	back := c.dial(0)
	back.send("\x10\x14\x00\x04MQTT\x05\x00\x00\x00\x05\x11\x00\x00\x0e\x10\x00\x02aw")
	back.want("CONNACK with the session", "\x01\x00")
	back.want("what waited", "xxxx")
}

func (c *child) ask(path string) string {
	c.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	resp, err := client.Get("http://" + c.addrs[2] + path)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(b)
}

func valueOf(t *testing.T, metrics, name string) int64 {
	t.Helper()
	_, rest, ok := strings.Cut(metrics, "\n"+name+" ")
	word, _, _ := strings.Cut(rest, "\n")
	v, err := strconv.ParseFloat(word, 64)
	if !ok || err != nil {
		t.Fatalf("%s: %q", name, word)
	}
	return int64(v)
}

// resident is the memory that a control group could not take back, which is not that of files: in bytes.
func (c *child) resident() int64 {
	c.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		c.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "RssAnon:")
	n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		c.t.Fatal(err)
	}
	return n << 10
}

// flood is what comes from all sides until end.
type flood struct {
	c   *child
	end chan struct{}
	wg  sync.WaitGroup
}

func (f *flood) run(side func()) {
	f.wg.Go(func() {
		for {
			select {
			case <-f.end:
				return
			default:
				side()
			}
		}
	})
}

// use runs one connection; it is closed at the end of the flood.
func (f *flood) use(connect string, drive func(nc net.Conn) error) {
	nc, err := net.Dial("tcp", f.c.addrs[0])
	if err != nil {
		return
	}
	done := make(chan struct{})
	defer close(done)
	f.wg.Go(func() {
		select {
		case <-f.end:
		case <-done:
		}
		nc.Close()
	})
	ack := make([]byte, 4)
	if _, err = io.WriteString(nc, connect); err == nil {
		_, err = io.ReadFull(nc, ack)
	}
	if err == nil && ack[3] == 0 {
		_ = drive(nc) // until somebody closes
	}
}

func connectAs(id string, expiry byte) string {
	return "\x10" + string(rune(18+len(id))) + "\x00\x04MQTT\x05\x02\x00\x00\x05\x11\x00\x00\x0e" + string(rune(expiry)) + "\x00" + string(rune(len(id))) + id
}

// publish sends 64 KiB of QoS 1 at a time and reads the acknowledgements.
func (f *flood) publish(n int) {
	f.use(connectAs("p"+strconv.Itoa(n), 1), func(nc net.Conn) error {
		f.wg.Go(func() { _, _ = io.Copy(io.Discard, nc) })
		packet := []byte("\x32\x85\x80\x04\x00\x01a\x00\x00\x00" + strings.Repeat("x", 65535))
		for id := uint16(1); ; id = id%1000 + 1 {
			binary.BigEndian.PutUint16(packet[7:], id)
			if _, err := nc.Write(packet); err != nil {
				return err
			}
		}
	})
}

var floodSessions sync.Map

// connect makes a session that lasts, with a subscription, and leaves it.
func (f *flood) connect(n int) {
	next, _ := floodSessions.LoadOrStore(n, new(int))
	*next.(*int)++
	f.use(connectAs(fmt.Sprintf("s%d-%d", n, *next.(*int)), 1), func(nc net.Conn) error {
		_, err := io.WriteString(nc, subscribe5+"\xe0\x00")
		_, _ = io.Copy(io.Discard, nc)
		return err
	})
}

// retain sends 4 KiB to ever new topics.
func (f *flood) retain(n int) {
	f.use(connectAs("r"+strconv.Itoa(n), 1), func(nc net.Conn) error {
		f.wg.Go(func() { _, _ = io.Copy(io.Discard, nc) })
		for i := 0; ; i++ {
			name := fmt.Sprintf("r/%d/%08d", n, i)
			packet := binary.AppendUvarint([]byte{0x31}, uint64(2+len(name)+1+4096))
			packet = append(append(packet, 0, byte(len(name))), name...)
			packet = append(append(packet, 0), bytes.Repeat([]byte("y"), 4096)...)
			if _, err := nc.Write(packet); err != nil {
				return err
			}
		}
	})
}
