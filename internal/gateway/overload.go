package gateway

import (
	"errors"
	"time"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/admin"
	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/metrics"
	"github.com/entrepot/entrepot/internal/overload"
)

// Overload is the key `limits.overload`: the steps of the ladder. At shed, QoS 0 to receivers that lag is dropped; at brake,
// publishers are slowed down too; at refuse, nothing that would grow is accepted.
type Overload struct {
	// Memory is what of GOMEMLIMIT is in use; false never holds back because of it.
	Memory MemorySteps `yaml:"memory" plain:"enabled"`
	// CPU is how late what is due every 100ms comes; false never holds back because of it.
	CPU CPUSteps `yaml:"cpu" plain:"enabled"`
}

// MemorySteps are shares of the memory limit.
type MemorySteps struct {
	// Enabled makes the steps hold.
	Enabled bool `yaml:"enabled"`
	// Shed is the first step.
	Shed config.Percent `yaml:"shed" min:"1%"`
	// Brake is the second step.
	Brake config.Percent `yaml:"brake" min:"1%"`
	// Refuse is the third step.
	Refuse config.Percent `yaml:"refuse" min:"1%"`
}

// CPUSteps are delays of the run queue.
type CPUSteps struct {
	// Enabled makes the steps hold.
	Enabled bool `yaml:"enabled"`
	// Shed is the first step.
	Shed time.Duration `yaml:"shed" min:"10ms" max:"1h"`
	// Brake is the second step.
	Brake time.Duration `yaml:"brake" min:"10ms" max:"1h"`
	// Refuse is the third step.
	Refuse time.Duration `yaml:"refuse" min:"10ms" max:"1h"`
}

func defaultOverload() Overload {
	d := overload.DefaultSteps()
	return Overload{
		Memory: MemorySteps{true, config.Percent(d.Memory[0]), config.Percent(d.Memory[1]), config.Percent(d.Memory[2])},
		CPU:    CPUSteps{true, d.CPU[0], d.CPU[1], d.CPU[2]},
	}
}

// Validate names the key whose steps do not ascend.
func (l *Limits) Validate() error {
	m, c := l.Overload.Memory, l.Overload.CPU
	switch {
	case m.Shed > m.Brake || m.Brake > m.Refuse:
		return errors.New("limits.overload.memory: shed, brake and refuse ascend")
	case c.Shed > c.Brake || c.Brake > c.Refuse:
		return errors.New("limits.overload.cpu: shed, brake and refuse ascend")
	}
	return nil
}

// steps are what the monitor is told.
func (o *Overload) steps() (s overload.Steps) {
	if m := o.Memory; m.Enabled {
		s.Memory = []float64{float64(m.Shed), float64(m.Brake), float64(m.Refuse)}
	}
	if c := o.CPU; c.Enabled {
		s.CPU = []time.Duration{c.Shed, c.Brake, c.Refuse}
	}
	return s
}

var _ admin.Noting = (*Gateway)(nil)

// openOverload makes the monitor that tells the router how much to hold back. [SECURITY O1]
func (g *Gateway) openOverload(s *settings) {
	o := overload.Options{Meter: g.options.Meter, Router: g.router, Log: g.log, Reserve: int64(s.store().Reserve), Steps: s.limits().Overload.steps()}
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
