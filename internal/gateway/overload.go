package gateway

import (
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/admin"
	"github.com/entrepot/entrepot/internal/metrics"
	"github.com/entrepot/entrepot/internal/overload"
)

var _ admin.Noting = (*Gateway)(nil)

// openOverload makes the monitor that tells the router how much to hold back. [SECURITY O1]
func (g *Gateway) openOverload(s *settings) {
	o := overload.Options{Meter: g.options.Meter, Router: g.router, Log: g.log, Reserve: int64(s.store().Reserve)}
	if o.Meter == nil {
		dir := s.config.Node.Data
		if dir == Memory {
			dir = ""
		}
		o.Meter = overload.NewProcess(dir)
	}
	g.monitor = overload.New(o)
}

// Notes implements admin.Noting. [SECURITY O8]
func (g *Gateway) Notes() (list []string) {
	p := g.router.Pressure()
	if p.Level != core.LevelNormal {
		list = append(list, "overload "+p.Level.String())
	}
	if p.DiskFull {
		list = append(list, core.DiskFull.String())
	}
	return list
}

// overload is the metrics source of the monitor.
func (g *Gateway) overload(emit metrics.Emit) {
	s := g.monitor.Status()
	for r, level := range s.Levels {
		emit("entrepot_overload_state", float64(level), r.String())
	}
	emit("entrepot_memory_bytes", float64(s.Reading.Memory))
	emit("entrepot_memory_limit_bytes", float64(s.Reading.MemoryLimit))
	emit("entrepot_disk_free_bytes", float64(s.Reading.DiskFree))
}
