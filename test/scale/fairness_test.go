//go:build !race

// The gateway is a process of its own here: the race detector would see, and slow down, only what measures it.

package scale

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// What others may feel of a flood. On a machine where all processors are busy, who runs without a pause is suspended by the
// system, for up to some tenths of a second: that much of the 99th percentile is nobody's fault. The median tells of the
// gateway: what it does before it comes to the others.
const (
	mayDelay    = 1500 * time.Microsecond // the median
	maySuspend  = 125 * time.Millisecond  // the 99th percentile alone, at least
	fairnessTry = 3
)

// fair measures pairs alone and beside others until the gateway is found fair: the median is delayed by less than a pass of a
// loop may take, and the 99th percentile is at most doubled.
func (p *pairs) fair(t *testing.T, turns int, delay time.Duration, others func(end <-chan struct{})) {
	t.Helper()
	var alone, beside spread
	for range fairnessTry {
		alone, beside = p.beside(t, turns, others)
		t.Logf("alone: %v; beside: %v", alone, beside)
		if beside.median <= 2*max(alone.median, delay/2) && beside.hundredth <= 2*max(alone.hundredth, maySuspend) {
			return
		}
	}
	t.Errorf("alone: %v; beside: %v", alone, beside)
}

// TestAFloodOfOneDelaysNobody sends messages of one connection as fast as they are read, which nobody or somebody gets.
func TestAFloodOfOneDelaysNobody(t *testing.T) {
	g := launch(t, "limits.publish_rate=unlimited")
	p := startPairs(t, g.mqtt, 10)
	p.run(t, 200*time.Millisecond)
	reader := mustDial(t, g.mqtt, "flooded")
	if err := reader.subscribe(0, "flood/read"); err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, reader.Conn) //nolint:errcheck // ends with it
	for _, topic := range []string{"flood/nobody", "flood/read"} {
		t.Run(topic, func(t *testing.T) {
			c := mustDial(t, g.mqtt, "flooder")
			c.addPublish(topic, string(make([]byte, 64)), 0, 0, false)
			p.fair(t, 3, mayDelay, flood(t, c.Conn, bytes.Repeat(c.out, 64<<10/len(c.out))))
		})
	}
}

// flood writes the same again and again.
func flood(t *testing.T, c net.Conn, b []byte) func(end <-chan struct{}) {
	return func(end <-chan struct{}) {
		for {
			select {
			case <-end:
				return
			default:
			}
			c.SetWriteDeadline(time.Now().Add(time.Minute))
			if _, err := c.Write(b); err != nil {
				t.Error(err)
				return
			}
		}
	}
}

// TestReadersThatDoNotReadCostThemselvesAlone publishes to many that read nothing: others are not delayed, the publisher is
// not held back, and the gateway keeps no more for them than they may have.
func TestReadersThatDoNotReadCostThemselvesAlone(t *testing.T) {
	const readers, kept = 50, 100 // messages that wait for each
	g := launch(t, "limits.publish_rate=unlimited", "limits.write_buffer.bytes=64KiB", fmt.Sprint("limits.queue_messages=", kept))
	p := startPairs(t, g.mqtt, 10)
	p.run(t, 200*time.Millisecond)
	for i := range readers {
		c := mustDial(t, g.mqtt, fmt.Sprint("deaf-", i))
		if err := c.Conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		if err := c.subscribe(0, "slow"); err != nil {
			t.Fatal(err)
		}
	}
	c := mustDial(t, g.mqtt, "publisher")
	c.addPublish("slow", string(make([]byte, 16<<10)), 0, 0, false)
	message, sent := c.out, 0
	c.out = nil
	before, _ := g.memory()
	p.fair(t, 3, mayDelay, func(end <-chan struct{}) {
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
			}
			c.SetWriteDeadline(time.Now().Add(time.Minute))
			if _, err := c.Write(message); err != nil {
				t.Error(err)
				return
			}
			sent++
		}
	})
	after, _ := g.memory()
	t.Logf("%d messages to %d readers; %d MiB before, %d after", sent, readers, before, after)
	if after-before > 128 {
		t.Errorf("%d MiB for readers that do not read", after-before)
	}
}
