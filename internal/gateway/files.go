package gateway

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/entrepot/entrepot/internal/config"
)

// lookEvery is how often files of users, rules and clients are looked at.
const lookEvery = 10 * time.Second

// fileStamp is how a change of a file shows.
type fileStamp struct {
	size int64
	at   time.Time
}

// accessFiles are the files that the access of a configuration is read from, as they are now. What is not there is not in it.
func accessFiles(c *config.Config) map[string]fileStamp {
	all := map[string]fileStamp{}
	for _, f := range c.Files() {
		switch {
		case f.Path == "auth.file", f.Path == "auth.mosquitto.passwords", f.Path == "auth.mosquitto.acl", f.Path == "auth.jwt.jwks":
		case strings.HasPrefix(f.Path, "listeners[") && strings.HasSuffix(f.Path, ".clients"):
		default:
			continue
		}
		if info, err := os.Stat(f.Name); err == nil {
			all[f.Name] = fileStamp{info.Size(), info.ModTime()}
		}
	}
	return all
}

// watchFiles reads files of access again when they change, until the context ends.
func (g *Gateway) watchFiles(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			g.lookAtFiles()
		}
	}
}

// lookAtFiles takes files of users, rules, keys and clients that have changed, all or none. The rest of the configuration
// stays as it is: only a reload reads it.
func (g *Gateway) lookAtFiles() {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	s := g.now()
	files := accessFiles(s.config) // before they are read: a change during that shows the next time
	same := maps.Equal(files, g.seen)
	if g.over || same && g.refused == "" {
		return
	}
	changed := slices.Sorted(maps.Keys(files))
	changed = slices.DeleteFunc(changed, func(name string) bool { return files[name] == g.seen[name] })
	g.seen = files
	p, problems := readAccess(s.config, s.sections)
	problems = s.config.Finish(problems)
	why := ""
	if problems.Failed() {
		why = problems.Error()
	}
	told := same && why == g.refused
	g.refused = ""
	if why != "" && slices.ContainsFunc(problems, func(p config.Problem) bool { return !p.Warning && p.Code == config.CodeFile }) {
		g.refused = why // tried again: what cannot be read now may be readable later, without another stamp
	}
	if told {
		return
	}
	g.warn(problems)
	if why != "" {
		g.metrics.Counter("config_reloads_total", "rejected").Add(1)
		return
	}
	g.swapping.Lock()
	g.access.Use(p.settings, p.doors(s.config, g.server.Addrs()))
	g.swapping.Unlock()
	g.metrics.Counter("config_reloads_total", "ok").Add(1)
	g.log.Info("access.reloaded", "files", strings.Join(changed, " "))
}
