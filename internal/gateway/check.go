package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/access"
	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/overload"
	"github.com/entrepot/entrepot/internal/store/disk"
	"github.com/entrepot/entrepot/internal/unreadable"
)

// CheckOptions say what [Check] looks at.
type CheckOptions struct {
	// As names the user that the gateway will run as, "" for this one.
	As string
	// Online: what others answer and how long a write takes is looked at too.
	Online bool
}

// Check dry-runs what a start does beyond reading the configuration, and changes nothing. The problems come without order;
// [config.Config.Finish] brings it.
func Check(ctx context.Context, c *config.Config, sections map[string]any, o CheckOptions) config.Problems {
	k := &check{c: c, s: &settings{config: c, sections: sections}}
	k.files(o.As)
	k.access()
	k.s.namespaces().dead(func(path, text string) { k.warn(config.CodeAccess, path, "%s: %s", path, text) })
	k.names()
	k.exposure()
	k.data()
	k.logFile()
	k.ports()
	k.limits()
	if o.Online {
		k.online(ctx)
	}
	for i := range k.problems {
		k.problems[i].Warning = k.problems[i].Warning && !k.problems[i].Mistake
	}
	return k.problems
}

type check struct {
	c        *config.Config
	s        *settings
	ours     bool    // a gateway of ours runs with this data directory
	who      *runner // nil: this user
	above    string  // the data directory, or the nearest above it that is there; "": it cannot be used
	problems config.Problems
}

func (k *check) fail(code, path, format string, args ...any) *config.Problem {
	k.problems = append(k.problems, k.c.Problem(code, path, fmt.Sprintf(format, args...)))
	return &k.problems[len(k.problems)-1]
}

func (k *check) warn(code, path, format string, args ...any) *config.Problem {
	p := k.fail(code, path, format, args...)
	p.Warning = true
	return p
}

// each calls f with the path of each listener.
func (k *check) each(f func(path string, l *config.Listener)) {
	for i := range k.c.Listeners {
		f(fmt.Sprintf("listeners[%d]", i), &k.c.Listeners[i])
	}
}

// files asks whether the user that will run may read what the configuration names. OPERATIONS C21
func (k *check) files(as string) {
	if as == "" {
		return // reading them has shown it
	}
	who, err := lookup(as)
	if err != nil {
		k.fail(config.CodeFile, "", "--as: %s", err)
		return
	}
	k.who = who
	for _, f := range k.c.Files() {
		if reason := who.mayRead(f.Name); reason != "" {
			p := k.fail(config.CodeFile, f.Path, "%s could not be read by %s: %s", f.Name, as, reason)
			if f.Path != "" {
				p.Message = f.Path + ": " + p.Message
			}
		}
	}
}

// access reads users, roles and backends. OPERATIONS C21, C24
func (k *check) access() {
	p, problems := readAccess(k.c, k.s.sections)
	k.problems = append(k.problems, problems...)
	if p != nil {
		k.problems = append(k.problems, p.settings.Advice()...)
	}
}

// names compares certificates with the hosts of their URLs, and looks at their chains. OPERATIONS C22
func (k *check) names() {
	k.each(func(path string, l *config.Listener) {
		if l.TLS == nil {
			return
		}
		for _, p := range l.TLS.Server().CheckHost(l.Address.Host) {
			k.warn(config.CodeTLS, path+".tls.cert", "%s.tls: %s", path, p.Message)
		}
	})
}

// exposure names what everybody may use. OPERATIONS C24
func (k *check) exposure() {
	k.each(func(path string, l *config.Listener) {
		switch {
		case l.Address.Loopback():
		case *l.Anonymous:
			k.warn(config.CodeAnonymous, path+".url", "%s: anybody who reaches this listener may use it", l.URL)
		case l.Insecure:
			k.warn(config.CodeAnonymous, path+".insecure", "%s: insecure is true, and changes nothing while anonymous is not", l.URL)
		}
	})
}

// data looks at the data directory. OPERATIONS C26
func (k *check) data() {
	dir := k.c.Node.Data
	if dir == Memory {
		return
	}
	err := checkData(dir)
	if err == nil {
		err = disk.Look(StoreDir(dir))
	}
	switch {
	case errors.Is(err, disk.ErrLocked):
		k.ours = true
		k.warn(config.CodeData, "node.data", "%s is in use: a gateway runs with it", dir).Hint = "reload it, or stop it before another one starts"
	case err != nil:
		k.fail(config.CodeData, "node.data", "%s", err)
		return
	}
	above := dir
	for {
		if _, err := os.Stat(above); err == nil || filepath.Dir(above) == above {
			break
		}
		above = filepath.Dir(above)
	}
	if err := writable(above); err != nil {
		k.fail(config.CodeData, "node.data", "%s cannot be written: %s", above, unreadable.Why(err))
		return
	}
	if k.who != nil {
		if reason := k.who.mayWrite(above); reason != "" {
			k.fail(config.CodeData, "node.data", "%s could not be written by the user of --as: %s", above, reason)
		}
	}
	k.above = above
	free, total, ok := diskSpace(above)
	reserve := overload.Reserve(int64(k.s.store().Reserve), total)
	switch {
	case !ok:
	case free <= reserve:
		k.warn(config.CodeData, "store.reserve", "%s has %s of free space, and store.reserve keeps %s of it free, so that nothing would be stored", above, config.Size(free), config.Size(reserve))
	case free-reserve < minFree:
		k.warn(config.CodeData, "node.data", "%s has %s of free space, of which store.reserve keeps %s free", above, config.Size(free), config.Size(reserve))
	}
}

// minFree is how much free space above the reserve is no reason to speak, in bytes.
const minFree = 256 << 20

// ports takes every address for a moment, all of them together, since two may be one. OPERATIONS C23
func (k *check) ports() {
	var held []interface{ Close() error }
	defer func() {
		for _, h := range held {
			_ = h.Close()
		}
	}()
	mine := map[string]bool{} // network and port of those that were taken
	k.each(func(path string, l *config.Listener) {
		place := fmt.Sprintf("%s %d%s", l.Address.Scheme.Network, l.Address.Port, l.Address.Path)
		h, err := listen.Try(l.Address.Scheme.Network, address(l.Address))
		if err == nil {
			held = append(held, h)
			mine[place] = true
			if k.who != nil && k.who.barred(l.Address) {
				k.warn(config.CodePort, path+".url", "%s: the user of --as may take a port below 1024 only with CAP_NET_BIND_SERVICE", l.URL)
			}
			return
		}
		be := &listen.BindError{URL: l.URL, Err: err}
		if be.InUse() {
			be.Process, be.PID = listen.Holder(l.Address.Scheme.Network, l.Address.HostPort())
			if be.PID == os.Getpid() && mine[place] {
				k.fail(config.CodePort, path+".url", "%s: another listener of this configuration has the address", l.URL)
				return
			}
			if k.ours && ourProcess(be.PID) {
				return // by the gateway that this configuration is for
			}
		}
		p := k.fail(config.CodePort, path+".url", "%s", be.Error())
		if errors.Is(err, os.ErrPermission) {
			p.Hint = "a port below 1024 needs CAP_NET_BIND_SERVICE, or choose one above"
		}
	})
}

func address(a config.Address) string {
	if a.Scheme.Network == "unix" {
		return a.Path
	}
	return a.HostPort()
}

// limits compares what is promised with what there is. OPERATIONS C27
func (k *check) limits() {
	l := k.s.limits()
	if n, ok := descriptors(); ok && uint64(l.Connections)+reservedDescriptors > n {
		p := k.warn(config.CodeLimits, "limits.connections", "limits.connections: %d connections need more descriptors than the %d that the process may have", l.Connections, n)
		p.Hint = fmt.Sprintf("at most %d will be accepted; raise the limit of open files (LimitNOFILE=)", max(0, int64(n)-reservedDescriptors))
	}
	for _, path := range k.c.Unlimited() {
		k.warn(config.CodeLimits, path, "%s is unlimited", path)
	}
	if memory, ok := memoryLimit(); ok {
		k.memory(memory)
	}
}

// memory compares what may be held with what there is. What waits for peers that do not read is not part of it: nobody
// has memory for a full buffer of each connection, and overload ends it before.
func (k *check) memory(memory int64) {
	bounds := k.bounds()
	sum, too := int64(0), false
	var parts []string
	for _, b := range bounds {
		if b.bytes > memory {
			k.warn(config.CodeLimits, b.path, "%s: %s is more than the %s of memory that the process may have", b.path, config.Size(b.bytes), config.Size(memory))
			too = true
		}
		sum = add(sum, b.bytes)
		parts = append(parts, fmt.Sprintf("%s %s", b.path, config.Size(b.bytes)))
	}
	if !too && sum > memory {
		k.warn(config.CodeLimits, "limits", "limits: %s together (%s), and the process may have %s of memory", config.Size(sum), strings.Join(parts, ", "), config.Size(memory))
	}
}

// add is a sum that stays at its most.
func add(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// bound is memory that a key allows.
type bound struct {
	path  string
	bytes int64
}

// bounds are those of the whole process, and of each namespace that is known. Of queues that have no bound together, one
// that is full stands for all.
func (k *check) bounds() []bound {
	l, spaces := k.s.limits(), k.s.namespaces()
	list := []bound{
		{"limits.preauth.bytes", int64(l.Preauth.Bytes) * int64(l.Preauth.Connections.Process)},
		{"auth.hash_workers", k.hashing()},
	}
	if n, ok := number(k.s.sections["coap"], "block_memory"); ok {
		if n == 0 {
			n = 64 << 20 // SECURITY L27
		}
		list = append(list, bound{"coap.block_memory", n})
	}
	names := slices.Sorted(maps.Keys(spaces))
	if _, ok := spaces[core.DefaultNamespace]; !ok {
		names = append([]string{core.DefaultNamespace}, names...)
	}
	for _, name := range names {
		q := spaces[name].Quota
		kept, waiting := bound{"limits.retained_bytes", int64(l.RetainedBytes)}, bound{"limits.queue_bytes", int64(l.QueueBytes)}
		if q.RetainedBytes > 0 && int64(q.RetainedBytes) < kept.bytes {
			kept = bound{"namespaces." + name + ".quota.retained_bytes", int64(q.RetainedBytes)}
		}
		if q.QueueBytes > 0 {
			waiting = bound{"namespaces." + name + ".quota.queue_bytes", int64(q.QueueBytes)}
		}
		list = append(list, kept, waiting)
	}
	return list
}

// number is the value of a protocol's key, which the gateway does not know by its structure.
func number(section any, key string) (int64, bool) {
	v := reflect.ValueOf(section)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return 0, false
	}
	for _, f := range config.Fields(v.Type().Elem()) {
		if n := v.Elem().FieldByIndex(f.Index); f.Name == key && n.CanInt() {
			return n.Int(), true
		}
	}
	return 0, false
}

// hashing is what hashing passwords takes. SECURITY U11
func (k *check) hashing() int64 {
	n := 0
	if a, ok := k.s.sections["auth"].(*access.Auth); ok {
		n = a.HashWorkers
	}
	if n == 0 {
		n = max(1, runtime.NumCPU()/2)
	}
	return int64(n) * (19 << 20)
}

// reservedDescriptors are kept for files and the store.
const reservedDescriptors = 512

// memoryLimit is what the process may have, in bytes: GOMEMLIMIT, or of the control group.
func memoryLimit() (int64, bool) {
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		return limit, true
	}
	limit, err := memlimit.FromCgroup()
	if err != nil || limit > math.MaxInt64 {
		return 0, false
	}
	return int64(limit), true
}
