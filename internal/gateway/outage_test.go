package gateway

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/entrepot/entrepot/internal/config"
)

// brokenDisk is a disk whose changes fail with an error while one is set.
type brokenDisk struct{ err atomic.Pointer[error] }

func (d *brokenDisk) become(err error) {
	if err == nil {
		d.err.Store(nil)
		return
	}
	d.err.Store(&err)
}

// MaybeError implements errorfs.Injector.
func (d *brokenDisk) MaybeError(op errorfs.Op) error {
	err := d.err.Load()
	if err == nil {
		return nil
	}
	switch op.Kind {
	case errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
		return *err
	}
	return nil
}

func (d *brokenDisk) String() string { return "broken" }

// journal is a log that a test reads meanwhile.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) count(event string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.b.String(), event)
}

// eventually waits until something is so.
func eventually(t *testing.T, so func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !so(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal("it does not come")
		}
	}
}

func openOn(t *testing.T, d *brokenDisk, log *journal) *Gateway {
	t.Helper()
	in := config.Input{
		Listen: []string{"mqtt://127.0.0.1:0", "http://127.0.0.1:0"}, Set: []string{"node.data=" + t.TempDir(), "limits.overload.cpu=false"},
		Sections: Sections(), Protocols: Protocols(),
	}
	c, err := config.Load(in)
	if err != nil {
		t.Fatal(err)
	}
	g, err := Open(Options{Config: c, Sections: in.Sections, Version: "1", Log: slog.New(slog.NewTextHandler(log, nil)), Disk: errorfs.Wrap(vfs.NewMem(), d)})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestSecurity_O6_O7_R1_AnOutageOfTheStoreIsSaidAndEndsByItself(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err                error
		code               int
		ready, told, state string
	}{
		{syscall.EIO, 503, "store", "store unavailable", "entrepot_store_state 2"},
		{syscall.ENOSPC, 200, "disk full", "disk full", "entrepot_store_state 1"},
	} {
		t.Run(c.ready, func(t *testing.T) {
			t.Parallel()
			d, log := &brokenDisk{}, &journal{}
			g := openOn(t, d, log)
			t.Cleanup(running(t, g))
			admin := g.Listening()[1].URL
			lasting, passing := dialTo(t, g, 0), dialTo(t, g, 0)
			lasting.send("\x10\x14\x00\x04MQTT\x05\x02\x00\x00\x05\x11\x00\x00\x0e\x10\x00\x02aw") // session expiry 3600
			passing.send(connect5 + "r5")
			for _, s := range []*wire{lasting, passing} {
				s.want("CONNACK", "\x00")
				s.send(subscribe5)
				s.want("SUBACK", "\x90\x04\x00\x01\x00\x01")
			}
			p := dialTo(t, g, 0)
			p.send(connect5 + "p5")
			p.want("CONNACK", "\x00\x00")

			d.become(c.err)
			p.send(publish5) // on its way: not answered
			eventually(t, func() bool { return g.router.StoreFailed() != g.router.Pressure().DiskFull })
			passing.want("the message", "x")
			q := dialTo(t, g, 0)
			q.send(connect5 + "q5")
			q.want("CONNACK", "\x00\x00")
			q.send("\x32\x07\x00\x01a\x00\x08\x00z")
			q.want("PUBACK with the reason", c.told)
			q.send(publish0)
			passing.want("QoS 0 goes on", "y")
			if code, body := get(t, admin+"/readyz"); code != c.code || !strings.Contains(body, c.ready) {
				t.Errorf("readyz: %d %q", code, body)
			}
			if _, body := get(t, admin+"/metrics"); !strings.Contains(body, c.state) || !strings.Contains(body, `entrepot_store_errors_total{op="`) {
				t.Errorf("no %s, or no errors", c.state)
			}

			d.become(nil)
			p.want("PUBACK", "\x40\x02\x00\x07")
			lasting.want("the message", "x")
			q.send("\x32\x07\x00\x01a\x00\x09\x00z")
			q.want("PUBACK", "\x40\x02\x00\x09")
			if code, body := get(t, admin+"/readyz"); code != 200 || strings.Contains(body, c.ready) {
				t.Errorf("readyz: %d %q", code, body)
			}
			if _, body := get(t, admin+"/metrics"); !strings.Contains(body, "entrepot_store_state 0") || !strings.Contains(body, "entrepot_fsync_seconds_count ") {
				t.Error("entrepot_store_state is not 0, or no sync was timed")
			}
			if log.count("msg=store.failed") < 1 || log.count("msg=store.recovered") != 1 {
				t.Errorf("%d store.failed, %d store.recovered", log.count("msg=store.failed"), log.count("msg=store.recovered"))
			}
		})
	}
}

// A stop does not wait for a disk.
func TestSecurity_O7_AStopDuringAnOutageEnds(t *testing.T) {
	t.Parallel()
	d := &brokenDisk{}
	g := openOn(t, d, &journal{})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	p := dialTo(t, g, 0)
	p.send("\x10\x14\x00\x04MQTT\x05\x02\x00\x00\x05\x11\x00\x00\x0e\x10\x00\x02aw")
	p.want("CONNACK", "\x00")
	d.become(syscall.ENOSPC)
	p.send("\x34\x07\x00\x01a\x00\x07\x00x") // QoS 2: its identifier is stored
	eventually(t, func() bool { return g.router.Pressure().DiskFull })
	stop()
	select {
	case err := <-done:
		if err != nil {
			t.Logf("ended with %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
}

func TestSecurity_O7_AStoreThatIsGivenUpEndsTheGateway(t *testing.T) {
	t.Parallel()
	d := &brokenDisk{}
	g := openOn(t, d, &journal{})
	done := make(chan error, 1)
	go func() { done <- g.Run(t.Context()) }()
	g.reports(errors.New("read-only"))
	if err := <-done; err == nil || !strings.Contains(err.Error(), "the store is given up: read-only") {
		t.Errorf("%v", err)
	}
}
