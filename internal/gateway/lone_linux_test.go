package gateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"

	"github.com/entrepot/entrepot/mqtt/packet"
)

// What makes TestBareStore the store that a benchmark compares with: its directory. And how long a sync takes that a child
// only pretends.
const (
	bareOf = "ENTREPOT_TEST_BARE_STORE"
	syncOf = "ENTREPOT_TEST_SYNC"
)

// childDisk is the disk of a child: nil, or one whose syncs do nothing and take the same time always.
func childDisk() vfs.FS {
	d, err := time.ParseDuration(os.Getenv(syncOf))
	if err != nil {
		return nil
	}
	return evenDisk{vfs.Default, d}
}

// evenDisk is a disk that nobody else uses.
type evenDisk struct {
	vfs.FS
	sync time.Duration
}

func (d evenDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, c)
	return evenFile{f, d.sync}, err
}

func (d evenDisk) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.ReuseForWrite(old, name, c)
	return evenFile{f, d.sync}, err
}

type evenFile struct {
	vfs.File
	sync time.Duration
}

// Sync keeps its thread in a system call, as a sync does.
func (f evenFile) Sync() error {
	t := unix.NsecToTimespec(f.sync.Nanoseconds())
	for {
		if err := unix.Nanosleep(&t, &t); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (f evenFile) SyncData() error { return f.Sync() }

func (f evenFile) SyncTo(int64) (bool, error) { return true, f.Sync() }

// TestBareStore is no test but the other child of BenchmarkLoneAcknowledgement: pebble alone. A line "writers n" makes it
// write n records of the size of a stored message, each synced for itself, and say how long that took.
func TestBareStore(t *testing.T) {
	dir := os.Getenv(bareOf)
	if dir == "" {
		return
	}
	db, err := pebble.Open(dir, &pebble.Options{Logger: pebble.DefaultLogger, FS: childDisk()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	key := atomic.Uint64{}
	fmt.Println("ok")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var writers, n int
		if _, err := fmt.Sscan(in.Text(), &writers, &n); err != nil {
			t.Fatal(err)
		}
		took, err := together(writers, n, func(int) error {
			return db.Set(fmt.Appendf(nil, "q/%016d", key.Add(1)), make([]byte, 140), pebble.Sync)
		})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(took.Nanoseconds())
	}
}

// together does something n times, each of so many goroutines one time after the other.
func together(goroutines, n int, do func(goroutine int) error) (time.Duration, error) {
	var left atomic.Int64
	left.Store(int64(n))
	errs := make([]error, goroutines)
	began := time.Now()
	var all sync.WaitGroup
	for i := range goroutines {
		all.Go(func() {
			for errs[i] == nil && left.Add(-1) >= 0 {
				errs[i] = do(i)
			}
		})
	}
	all.Wait()
	return time.Since(began), errors.Join(errs...)
}

// BenchmarkLoneAcknowledgement is a QoS 1 publisher that waits for each PUBACK, into a session that is away; beside it the
// same number of writers into a bare store, a synced write at a time. They take short turns on the same processors, so that
// a ratio compares neighbours in time: median-acks/writes is what counts, the goals are 0.67 for one publisher, 0.8 for 64.
func BenchmarkLoneAcknowledgement(b *testing.B) {
	for _, disk := range []string{"own", "150us"} {
		for _, cores := range []int{1, runtime.NumCPU()} {
			for _, publishers := range []int{1, 64} {
				b.Run(fmt.Sprintf("sync=%s/cores=%d/publishers=%d", disk, cores, publishers), func(b *testing.B) { lone(b, disk, cores, publishers) })
			}
		}
	}
}

func lone(b *testing.B, sync string, cores, publishers int) {
	dir := b.TempDir()
	file := filepath.Join(dir, "entrepot.yaml")
	text := fmt.Sprintf("node: {data: %q}\nlimits: {overload: {cpu: false}}\nlisteners:\n  - {url: \"mqtt://127.0.0.1:0\", anonymous: true}\n",
		filepath.Join(dir, "data"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	gateway := startPinned(b, cores, "TestChild", childOf+"="+file, syncOf+"="+sync)
	url, _ := strings.CutPrefix(gateway.line(b), "listening mqtt://")
	bare := startPinned(b, cores, "TestBareStore", bareOf+"="+filepath.Join(dir, "bare"), syncOf+"="+sync)
	bare.line(b)

	away := connectTo(b, url, "away", false)
	subscribe := packet.Subscribe{ID: 1}
	subscribe.AppendFilter("dev/#", 1)
	send(b, away, subscribe.AppendTo(nil, packet.V311))
	read(b, away, 5)
	away.Close()
	clients := make([]net.Conn, publishers)
	for i := range clients {
		clients[i] = connectTo(b, url, fmt.Sprint("p", i), true)
	}
	m := packet.Publish{Topic: []byte("dev/1/temperature"), Payload: make([]byte, 64), QoS: 1, ID: 1}
	message := m.AppendTo(nil, packet.V311)
	publish := func(i int) error {
		if _, err := clients[i].Write(message); err != nil {
			return err
		}
		var answer [4]byte
		_, err := io.ReadFull(clients[i], answer[:])
		return err
	}

	turn := 10 * publishers
	var ratios, acks, writes []float64
	for b.Loop() {
		took, err := together(publishers, turn, publish)
		if err != nil {
			b.Fatal(err)
		}
		bare.say(b, fmt.Sprintln(publishers, turn))
		var ns float64
		if _, err := fmt.Sscan(bare.line(b), &ns); err != nil {
			b.Fatal(err)
		}
		ratios = append(ratios, ns/float64(took.Nanoseconds()))
		acks, writes = append(acks, float64(took.Nanoseconds())/float64(turn)), append(writes, ns/float64(turn))
	}
	for name, list := range map[string][]float64{"median-acks/writes": ratios, "ns/ack": acks, "ns/write": writes} {
		slices.Sort(list)
		b.ReportMetric(list[len(list)/2], name)
	}
}

func send(b *testing.B, c net.Conn, text []byte) {
	if _, err := c.Write(text); err != nil {
		b.Fatal(err)
	}
}

func connectTo(b *testing.B, address, id string, clean bool) net.Conn {
	c, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	p := packet.Connect{Version: packet.V311, CleanStart: clean, ClientID: []byte(id)}
	send(b, c, p.AppendTo(nil, packet.V311))
	if answer := read(b, c, 4); answer[3] != 0 {
		b.Fatalf("% x", answer)
	}
	return c
}

// pinned is this program again, on the first of the processors.
type pinned struct {
	in  io.Writer
	out *bufio.Scanner
}

func startPinned(b *testing.B, cores int, test string, environ ...string) *pinned {
	var all, few unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		b.Fatal(err)
	}
	for i := 0; few.Count() < min(cores, all.Count()); i++ {
		if all.IsSet(i) {
			few.Set(i)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+test+"$", "-test.timeout=0")
	cmd.Env = append(os.Environ(), environ...)
	in, err := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	runtime.LockOSThread() // the child inherits what this thread may use
	defer runtime.UnlockOSThread()
	err = errors.Join(err, err2, unix.SchedSetaffinity(0, &few), cmd.Start(), unix.SchedSetaffinity(0, &all))
	if err != nil {
		cancel()
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
	})
	return &pinned{in, bufio.NewScanner(out)}
}

func (p *pinned) line(b *testing.B) string {
	if !p.out.Scan() {
		b.Fatal("the child has ended")
	}
	return p.out.Text()
}

func (p *pinned) say(b *testing.B, line string) {
	if _, err := io.WriteString(p.in, line); err != nil {
		b.Fatal(err)
	}
}
