package gateway

import (
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/overload"
)

// heapMeter is a meter whose memory is what the heap has grown since the test began.
type heapMeter struct {
	mu         sync.Mutex
	base, most int64
	limit      int64
}

func heapNow() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func (h *heapMeter) Read() overload.Reading {
	h.mu.Lock()
	defer h.mu.Unlock()
	used := max(0, heapNow()-h.base)
	h.most = max(h.most, used)
	return overload.Reading{Memory: used, MemoryLimit: h.limit, DiskFree: overload.Unknown, Descriptors: overload.Unknown}
}

// O5 in small: four publishers send as fast as they are read to a session that is away; without the ladder it would hold
// all of it.
func TestSecurity_O5_AFloodStaysWithinTheMemoryLimitAndHealthAnswers(t *testing.T) {
	m := &heapMeter{base: heapNow(), limit: 256 << 20}
	g := meteredBy(t, m, "mqtt://127.0.0.1:0", "http://127.0.0.1:0")
	away := dialTo(t, g, 0)
	away.send("\x10\x14\x00\x04MQTT\x05\x02\x00\x00\x05\x11\x00\x00\x0e\x10\x00\x02aw") // session expiry 3600
	away.want("CONNACK", "\x00")
	away.send(subscribe5)
	away.want("SUBACK", "\x90\x04\x00\x01\x00\x01")
	away.Close()

	message := "\x32\x85\x80\x04\x00\x01a" // QoS 1, 64 KiB of payload
	body := "\x00" + strings.Repeat("x", 65536-1)
	packet := func(id byte) string { return message + "\x00" + string([]byte{id}) + body }
	var wg sync.WaitGroup
	deadline := time.Now().Add(4 * time.Second)
	for n := range 4 {
		c := dialTo(t, g, 0)
		c.send(connect5 + "f" + string(rune('0'+n)))
		c.want("CONNACK", "\x00\x00")
		c.SetDeadline(deadline)
		wg.Go(func() { _, _ = io.Copy(io.Discard, c) })
		wg.Go(func() {
			for id := byte(1); ; id = id%200 + 1 {
				if _, err := io.WriteString(c, packet(id)); err != nil {
					return // the deadline
				}
			}
		})
	}
	wg.Wait()
	began := time.Now()
	if code, _ := get(t, g.Listening()[1].URL+"/healthz"); code != 200 {
		t.Errorf("healthz: %d", code)
	}
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("health answered after %v", d)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.most > m.limit*5/4 || m.most < m.limit/2 { // a reading is up to 100 ms old, and the heap holds garbage too
		t.Errorf("%d MiB of %d", m.most>>20, m.limit>>20)
	}
}
