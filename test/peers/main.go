// Command peers measures entrepot beside other brokers in one run and writes docs/performance.md: mosquitto, mochi, a bare
// relay as the floor and, where durability is compared, RabbitMQ and the bare store. It is a module of its own, so that the
// product's names no broker but itself.
//
// Every peer runs alone, on a core of its own where there are two, with its own port and folder, one after the other within
// each round, so that a ratio compares neighbours in time.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/entrepot/entrepot/test/peers/load"
)

// bench is one run.
type bench struct {
	self, entrepot, dir string
	before              string // another binary of entrepot, to compare with; "": none
	cert, key           string
	brokerCores         []int // the first is the broker's where it has one
	loadCore            int   // -1: any
	rounds              int
	time, warmup        time.Duration
	done                []*measured
	failed              []string // what could not be measured
	began               time.Time
}

// measured is a workload with what came of it.
type measured struct {
	workload
	peers   []string // that were not left out
	results map[string][]*result
}

func main() {
	b := &bench{began: time.Now()}
	names := flag.String("workloads", "*", "patterns of names, separated by commas")
	flag.IntVar(&b.rounds, "rounds", 3, "how often everything is measured; the report has medians")
	flag.DurationVar(&b.time, "time", 4*time.Second, "length of a measurement")
	flag.DurationVar(&b.warmup, "warmup", time.Second, "time before it that does not count")
	without := flag.String("without", "", "peers to leave out, separated by commas")
	write := flag.String("write", "", "file of the report (default standard output)")
	flag.StringVar(&b.entrepot, "entrepot", "", "a binary to measure (default the one of this source, built for it)")
	flag.StringVar(&b.before, "before", "", "another binary of entrepot, an earlier one, that is measured beside it in the same rounds")
	list := flag.Bool("list", false, "list the workloads")
	role := flag.String("role", "", "be a peer: for this program itself")
	listen := flag.String("listen", "", "address or folder of that peer")
	flag.Parse()
	err := func() error {
		switch {
		case *role != "":
			return play(*role, *listen)
		case *list:
			for _, w := range workloads() {
				fmt.Printf("%-22s %s\n", w.name, w.about)
			}
			return nil
		}
		return b.main(strings.Split(*names, ","), strings.Split(*without, ","), *write)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func workloads() []workload {
	return slices.Concat(throughput(), offline(), durable(), idle(), retained(), across(), growth())
}

func (b *bench) main(names, without []string, write string) error {
	if err := b.prepare(); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	var chosen []*measured
	var needed []string
	for _, w := range workloads() {
		if !slices.ContainsFunc(names, func(n string) bool { ok, _ := path.Match(n, w.name); return ok }) {
			continue
		}
		m := &measured{workload: w, results: map[string][]*result{}}
		for _, p := range w.peers {
			if slices.Contains(without, p) {
				continue
			}
			if m.peers = append(m.peers, p); p == entrepot && b.before != "" {
				m.peers = append(m.peers, earlier)
			}
		}
		needed = append(needed, m.peers...)
		chosen = append(chosen, m)
	}
	if len(chosen) == 0 {
		return fmt.Errorf("no workload has such a name; -list tells them")
	}
	if a := absent(needed); len(a) > 0 {
		return fmt.Errorf("peers are missing:\n  %s", strings.Join(a, "\n  "))
	}
	b.all(chosen)
	text := b.report()
	if write == "" {
		fmt.Print(text)
	} else if err := os.WriteFile(write, []byte(text), 0o644); err != nil {
		return err
	}
	if len(b.failed) > 0 {
		return fmt.Errorf("the report has %d measurements less:\n  %s", len(b.failed), strings.Join(b.failed, "\n  "))
	}
	return nil
}

// all measures everything. What fails is left out, and a signal ends it early: the report says so.
func (b *bench) all(chosen []*measured) {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(stop)
	for _, m := range chosen {
		b.done = append(b.done, m)
		for round := range m.rounds(b.rounds) {
			for _, p := range m.peers {
				select {
				case <-stop:
					b.failed = append(b.failed, fmt.Sprintf("interrupted in round %d of %s", round+1, m.name))
					return
				default:
				}
				if err := b.measure(m, p); err != nil {
					b.failed = append(b.failed, fmt.Sprintf("%s, %s, round %d: %v", m.name, p, round+1, err))
					fmt.Fprintln(os.Stderr, b.failed[len(b.failed)-1])
					// Ratios are those of a round, so what is missing must not shift the next one.
					m.results[p] = append(m.results[p], &result{})
				}
			}
		}
	}
}

func (w workload) rounds(n int) int {
	if w.once {
		return min(n, 1)
	}
	return n
}

// measure is one peer in one round.
func (b *bench) measure(m *measured, name string) error {
	e, err := load.New(b.loadCore)
	if err != nil {
		return err
	}
	defer e.Close()
	s, err := b.run(name, m.serving)
	if err != nil {
		return err
	}
	defer s.stop()
	r, err := m.workload.measure(b, s, e)
	if err != nil {
		return err
	}
	m.results[name] = append(m.results[name], r)
	fmt.Fprintf(os.Stderr, "%-22s %-10s", m.name, name)
	for _, row := range m.rows {
		if v, ok := r.values[row.key]; ok {
			fmt.Fprintf(os.Stderr, " %s %s", row.key, figure(v))
		}
	}
	fmt.Fprintf(os.Stderr, "  (load %.2f µs%s) lost %d doubled %d late %d\n", r.own, map[bool]string{true: ", bottleneck"}[r.bound], r.account.Lost, r.account.Doubled, r.account.Late)
	return nil
}

// prepare finds the cores, keeps this process on one of them, and builds what is measured.
func (b *bench) prepare() error {
	cores, err := allowed()
	if err != nil {
		return err
	}
	if os.Getenv(pinnedTo) == "" && len(cores) > 1 {
		return b.again(cores)
	}
	b.brokerCores, b.loadCore = cores, -1
	if text := os.Getenv(pinnedTo); text != "" {
		if _, err := fmt.Sscanf(text, "%d %d", &b.loadCore, &cores[0]); err != nil {
			return fmt.Errorf("%s: %w", pinnedTo, err)
		}
		b.brokerCores = []int{cores[0], b.loadCore}
	}
	runtime.GOMAXPROCS(4) // the locked thread keeps its own
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.dir, err = scratch("run"); err != nil {
		return err
	}
	if err := os.Chmod(b.dir, 0o755); err != nil { // mosquitto reads the certificate as a user of its own
		return err
	}
	if b.cert, b.key, err = certificate(b.dir); err != nil {
		return err
	}
	if b.before != "" {
		if b.before, err = filepath.Abs(b.before); err != nil {
			return err
		}
	}
	if b.entrepot != "" {
		b.entrepot, err = filepath.Abs(b.entrepot)
		return err
	}
	return b.build()
}

// build makes the binary of this source.
func (b *bench) build() error {
	b.entrepot = filepath.Join(b.dir, "entrepot")
	cmd := exec.Command("make", "-s", "build", "OUT="+b.dir)
	cmd.Dir, cmd.Stdout, cmd.Stderr = filepath.Join("..", ".."), os.Stderr, os.Stderr
	ended, err := start(cmd, b.brokerCores)
	if err != nil {
		return err
	}
	<-ended
	if !cmd.ProcessState.Success() {
		return fmt.Errorf("entrepot was not built: %s", cmd.ProcessState)
	}
	return nil
}

const pinnedTo = "PEERS_CORES" // that of the load and that of the broker

// again starts this program anew on the second core, all its threads.
func (b *bench) again(cores []int) error {
	runtime.LockOSThread()
	if err := load.Pin(cores[1]); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(self, os.Args, append(os.Environ(), fmt.Sprintf("%s=%d %d", pinnedTo, cores[1], cores[0])))
}

// allowed are the cores that this process may use.
func allowed() (cores []int, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, err
	}
	for i := range 1024 {
		if set.IsSet(i) {
			cores = append(cores, i)
		}
	}
	return cores, nil
}

// ownCPU is what this process has used, all its threads.
func ownCPU() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

func moduleVersion(name string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, d := range info.Deps {
		if d.Path == name {
			return d.Path + " " + d.Version
		}
	}
	return "unknown"
}
