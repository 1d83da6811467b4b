package listen

import (
	"runtime/debug"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// Each call of a room is guarded: a panic costs its connection only. The
// results are false when it panicked.

func (s *stream) roomOpen(info adapters.Info, room adapters.StreamRoom) (ok bool) {
	defer s.rescue()
	s.conn = room.Open(s, info, s.loop.turn)
	return true
}

func (s *stream) roomInput(in []byte, out *adapters.Output) (n int, err error, ok bool) {
	defer s.rescue()
	n, err = s.conn.Input(s.loop.turn, in, out)
	return n, err, true
}

func (s *stream) roomWake(out *adapters.Output) (ok bool) {
	defer s.rescue()
	s.conn.Wake(s.loop.turn, out)
	return true
}

func (s *stream) roomDirect(room adapters.Direct, t *core.Turn, d *core.Delivery, out *adapters.Output) (did, ok bool) {
	defer s.rescue()
	return room.Direct(t, d, out), true
}

func (s *stream) roomDirectRun(room adapters.DirectRun, t *core.Turn, d *core.Delivery, r *core.Run, out *adapters.Output) (did, ok bool) {
	defer s.rescue()
	return room.DirectRun(t, d, r, out), true
}

func (s *stream) roomStalled(room adapters.Stalled) (ok bool) {
	defer s.rescue()
	room.Stalled(s.loop.turn)
	return true
}

func (s *stream) roomTick(out *adapters.Output) (ok bool) {
	defer s.rescue()
	s.conn.Tick(s.loop.turn, out)
	return true
}

func (s *stream) roomEvict(r core.Reason, out *adapters.Output) (ok bool) {
	defer s.rescue()
	s.conn.Evict(s.loop.turn, r, out)
	return true
}

// failed ends a connection whose room has panicked: it may say what went
// wrong, in words of its own. What the failed call had appended is not sent,
// since it may be half a packet.
func (s *stream) failed() {
	if s.phase <= open {
		out := s.output()
		if s.conn != nil && s.roomEvict(core.Internal, out) {
			out.CloseAfterFlush(core.Internal)
			s.flush(out)
			return
		}
	}
	s.gone(core.Internal)
}

func (s *stream) roomClose(r core.Reason) {
	if s.conn == nil {
		return
	}
	defer s.rescue()
	s.conn.Close(s.loop.turn, r)
}

// rescue is deferred around every call of a room.
func (s *stream) rescue() {
	if p := recover(); p != nil {
		s.loop.server.panicked(s.counts.protocol, p)
	}
}

func (s *Server) panicked(protocol string, p any) {
	s.metrics.Counter("panics_recovered_total", protocol).Add(1)
	s.events.panicked(protocol, p, debug.Stack())
}
