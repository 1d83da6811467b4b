package core

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/entrepot/entrepot/core/topic"
)

// What is published in one namespace appears in another only where the first one
// exports it and the second imports it. The copy is made while the original is
// routed and is acknowledged with it. It is never exported again, so that it
// cannot come back; and nothing of the importing namespace can refuse the
// original: a copy that finds no room is dropped and counted there.

// Import takes what another namespace publishes and exports.
type Import struct {
	From   string // the other namespace
	Filter string // of its topics
	As     string // the level, or levels, that the topics get in front here; "": none
}

// link is one import as its source sees it.
type link struct {
	to       *Namespace
	filter   string
	as       string
	exports  []string
	imported atomic.Uint64
}

// link joins those who import to whom they import from. Router.mu is held.
func (r *Router) link() {
	all := map[string][]*link{}
	for name, x := range r.tenants {
		to := r.namespaces[named(name)]
		for _, i := range x.Import {
			from := named(i.From)
			exports := slices.DeleteFunc(slices.Clone(r.tenants[i.From].Export), func(f string) bool { return !topic.Overlaps(f, i.Filter) })
			if len(exports) > 0 {
				all[from] = append(all[from], &link{to: to, filter: i.Filter, as: i.As, exports: exports})
			}
		}
	}
	for name, ns := range r.namespaces {
		links := all[name]
		if len(links) == 0 {
			ns.links.Store(nil)
			continue
		}
		slices.SortFunc(links, func(a, b *link) int { return strings.Compare(a.to.name+"\x00"+a.as, b.to.name+"\x00"+b.as) })
		if old := ns.links.Load(); old != nil {
			for _, l := range links {
				l.keep(*old)
			}
		}
		ns.links.Store(&links)
	}
}

// keep takes over what the same link has counted.
func (l *link) keep(old []*link) {
	for _, o := range old {
		if o.to == l.to && o.filter == l.filter && o.as == l.as {
			l.imported.Store(o.imported.Load())
		}
	}
}

func named(namespace string) string {
	if namespace == "" {
		return DefaultNamespace
	}
	return namespace
}

// carries tells whether the link takes a topic.
func (l *link) carries(name string) bool {
	return topic.Matches(l.filter, name) && slices.ContainsFunc(l.exports, func(f string) bool { return topic.Matches(f, name) })
}

// under is a topic, or a filter, as it is called where the link leads.
func under(as, name string) string {
	if as == "" {
		return name
	}
	return as + "/" + name
}

// abroad is where a topic leads in another namespace.
type abroad struct {
	link  *link
	match Match
}

// leave fills in where the topic leads elsewhere. Two imports that give it one
// name there make one copy.
func (m *Match) leave(t *Turn, links []*link) {
	for _, l := range links {
		if !l.carries(m.topic) {
			continue
		}
		name := under(l.as, m.topic)
		if slices.ContainsFunc(m.abroad, func(a abroad) bool { return a.link.to == l.to && a.match.topic == name }) {
			continue
		}
		if topic.CheckName(name, l.to.r.topicLimits()) != nil { // too long with its prefix
			l.to.r.drop(DropNoReceiver)
			continue
		}
		a := abroad{link: l, match: Match{topic: name, arrives: true}}
		l.to.match(t, &a.match, 0)
		m.abroad = append(m.abroad, a)
	}
}

// currentAbroad tells whether what leave found would be found now.
func (m *Match) currentAbroad() bool {
	for i := range m.abroad {
		if a := &m.abroad[i]; !a.link.to.index.Current(a.match.stamp) {
			return false
		}
	}
	return true
}

// reachesAbroad tells whether any queue elsewhere matches.
func (m *Match) reachesAbroad() bool {
	return slices.ContainsFunc(m.abroad, func(a abroad) bool { return len(a.match.targets) > 0 })
}

// arrive routes copies in the namespaces that import. The readers' rights are
// those of there, asked at each delivery as ever.
func (m *Match) arrive(t *Turn, original *Message) (durable, reached bool) {
	for i := range m.abroad {
		a := &m.abroad[i]
		if len(a.match.targets) == 0 && !original.Retain && a.link.to.index.Current(a.match.stamp) {
			continue
		}
		c := original.again()
		c.Topic, c.rev = a.match.topic, 0
		if x := c.Meta; x != nil && x.Native != nil && a.link.as != "" { // an envelope may tell the topic as it was
			plain := *x
			plain.Native = nil
			c.Meta = &plain
		}
		must, reason := a.link.to.route(t, &a.match, c, retaining{})
		durable = durable || must
		switch reason {
		case OK:
			reached = true
			fallthrough
		case NoReceiver:
			a.link.imported.Add(1)
		case Quota: // of retained messages; a queue that is full has counted it
			a.link.to.r.drop(DropQueueFull)
		}
	}
	return durable, reached
}

// Imported calls f with how many messages have gone from one namespace to
// another since the start.
func (r *Router) Imported(f func(from, to string, n uint64)) {
	for _, ns := range r.allNamespaces() {
		links := ns.links.Load()
		if links == nil {
			continue
		}
		sums := map[string]uint64{}
		for _, l := range *links {
			sums[l.to.name] += l.imported.Load()
		}
		for to, n := range sums {
			f(ns.name, to, n)
		}
	}
}

// A TenantError is what is wrong with a tenant.
type TenantError struct {
	Namespace string
	Key       string // export or import
	Index     int    // in its list
	Text      string
}

func (e *TenantError) Error() string {
	return fmt.Sprintf("%s.%s[%d]: %s", e.Namespace, e.Key, e.Index, e.Text)
}

// CheckTenants finds filters that are none, and imports that would lead a topic
// back to where it was published.
func CheckTenants(tenants map[string]Tenant) error {
	names := make([]string, 0, len(tenants))
	for name := range tenants {
		names = append(names, name)
	}
	slices.Sort(names)
	var ways []way
	for _, name := range names {
		for i, f := range tenants[name].Export {
			if text := badShare(f); text != "" {
				return &TenantError{name, "export", i, text}
			}
		}
		for i, x := range tenants[name].Import {
			switch text := badShare(x.Filter); {
			case x.From == "":
				return &TenantError{name, "import", i, "from is missing"}
			case named(x.From) == named(name):
				return &TenantError{name, "import", i, "a namespace does not import from itself"}
			case text != "":
				return &TenantError{name, "import", i, text}
			case x.As != "" && (topic.CheckName(x.As, topic.Limits{}) != nil || strings.HasPrefix(x.As, "$")):
				return &TenantError{name, "import", i, fmt.Sprintf("as: %q cannot be the beginning of a topic", x.As)}
			}
			for _, f := range tenants[x.From].Export {
				if topic.Overlaps(f, x.Filter) {
					ways = append(ways, way{from: named(x.From), to: named(name), filters: [2]string{f, x.Filter}, as: x.As, index: i})
				}
			}
		}
	}
	return findLoop(ways)
}

func badShare(filter string) string {
	switch {
	case topic.CheckFilter(filter, topic.Limits{}) != nil:
		return fmt.Sprintf("%q is no topic filter", filter)
	case strings.HasPrefix(filter, "$"):
		return fmt.Sprintf("%q: what begins with $ stays in its namespace", filter)
	}
	return ""
}

// way is one export met by one import.
type way struct {
	from, to string
	filters  [2]string // a topic matches both
	as       string
	index    int
}

// meets tells whether a topic that took w could be one that takes next. It may
// say yes without need, never no wrongly.
func (w *way) meets(next *way) bool {
	if w.to != next.from {
		return false
	}
	for _, a := range w.filters {
		for _, b := range next.filters {
			if !topic.Overlaps(under(w.as, a), b) {
				return false
			}
		}
	}
	return true
}

// findLoop looks for a way that can be followed until it comes again.
func findLoop(ways []way) error {
	const (
		unseen = iota
		open
		done
	)
	state := make([]int, len(ways))
	var path []int
	var walk func(i int) []int
	walk = func(i int) []int {
		state[i] = open
		path = append(path, i)
		for j := range ways {
			if state[j] == done || !ways[i].meets(&ways[j]) {
				continue
			}
			if state[j] == open {
				return path[slices.Index(path, j):]
			}
			if loop := walk(j); loop != nil {
				return loop
			}
		}
		state[i] = done
		path = path[:len(path)-1]
		return nil
	}
	for i := range ways {
		if state[i] != unseen {
			continue
		}
		if loop := walk(i); loop != nil {
			steps := []string{ways[loop[0]].from}
			for _, j := range loop {
				steps = append(steps, ways[j].to)
			}
			last := ways[loop[len(loop)-1]]
			return &TenantError{last.to, "import", last.index, "topics would go round: " + strings.Join(steps, " -> ")}
		}
	}
	return nil
}
