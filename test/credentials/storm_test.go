package credentials

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/dial"
	"github.com/entrepot/entrepot/mqtt/packet"
	"github.com/entrepot/entrepot/test/rig"
)

// stormLogins is how many wrong passwords come, ENTREPOT_STORM of them where that is set.
func stormLogins(t *testing.T) int {
	n := 200
	if text := os.Getenv("ENTREPOT_STORM"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

const (
	atOnce   = 100      // connections that guess at the same time
	oneHash  = 19 << 20 // memory of one argon2id, bytes
	headroom = 64 << 20 // of the connections, the collector's slack and the test itself
)

// TestSecurity_U11_AStormOfWrongPasswordsBlocksNobody floods the gateway with wrong passwords for a user whose hash is
// argon2id. Who is connected goes on, and memory stays within one hash for each worker.
func TestSecurity_U11_AStormOfWrongPasswordsBlocksNobody(t *testing.T) {
	h := start(t, "limits: {auth_failures: 1000000/min}\nauth: {hash_workers: 1}\n") // not parallel: it measures the process
	var received atomic.Int64
	if err := rig.Subscribe(h.must("mqtt", "boss", "boss-1", func(dial.Message) { received.Add(1) }), "dev/#"); err != nil {
		t.Fatal(err)
	}
	device := h.must("mqtt", "gw1", "gw1-a", nil)
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)

	n := stormLogins(t)
	var guesses, refused, in atomic.Int64
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for i := guesses.Add(1); i <= int64(n); i = guesses.Add(1) {
				switch guess(t.Context(), h.At["mqtt"], fmt.Sprintf("wrong%d", i)) {
				case 0x86, 0x89:
					refused.Add(1)
				case 0:
					in.Add(1)
				}
			}
		})
	}
	over := make(chan struct{})
	go func() { wg.Wait(); close(over) }()
	var sent, most int64
	var slowest time.Duration
	for storm := true; storm; {
		select {
		case <-over:
			storm = false
		default:
			begun := time.Now()
			if err := rig.Publish(device, "dev/a", "on"); err != nil {
				t.Fatalf("who is connected is disturbed: %v", err)
			}
			slowest = max(slowest, time.Since(begun))
			sent++
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, int64(m.HeapInuse)-int64(before.HeapInuse))
			select {
			case <-time.After(20 * time.Millisecond):
			case <-over:
			}
		}
	}
	h.Wait("all messages", func() bool { return received.Load() >= sent })
	if in.Load() > 0 || refused.Load() == 0 {
		t.Errorf("of %d guesses %d were refused in words, and %d were let in", n, refused.Load(), in.Load())
	}
	if slowest > rig.Patience/2 {
		t.Errorf("a publish took %v", slowest)
	}
	// A garbage of two hashes may wait for the collector beside the one in use.
	if limit := int64(3*oneHash + headroom); most > limit {
		t.Errorf("memory grew by %d bytes, more than %d", most, limit)
	}
	_, metrics := h.Ask("/metrics", "", "")
	if !strings.Contains(metrics, `entrepot_auth_seconds_count{backend="file",result="denied"}`) {
		t.Error("the refusals are not counted")
	}
	t.Logf("%d guesses, %d refused in words, %d publishes beside them, the slowest %v, memory +%d MB", n, refused.Load(), sent, slowest, most>>20)
}

// guess tries a password by MQTT 5 and returns the code of the CONNACK; closed when the connection ends without one.
func guess(ctx context.Context, addr, pass string) byte {
	return login(ctx, "127.0.0.1", addr, "gw1", pass)
}

// login is a connection from an address of this machine, and the reason code that it is told.
func login(ctx context.Context, from, addr, user, pass string) byte {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return closed
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(rig.Patience))
	c := packet.Connect{Version: packet.V5, CleanStart: true, ClientID: []byte(user + "-x"), HasUserName: true, UserName: []byte(user), HasPassword: true, Password: []byte(pass)}
	if _, err := conn.Write(c.AppendTo(nil, packet.V5)); err != nil {
		return closed
	}
	b := make([]byte, 64)
	if n, err := conn.Read(b); err != nil || n < 4 || b[0]>>4 != byte(packet.CONNACK) {
		return closed
	}
	return b[3]
}

const closed = 0xFF
