package listen

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
)

const (
	maxTurnedAway = 64          // connections that are told why they are refused, at a time
	turnAwayTime  = time.Second // that they have for their opening words
)

// turnAway ends a connection that a limit refuses. Where the protocol has
// words for it that cost us no handshake, the peer is told; those who are told
// are few at a time, beyond the limit's own count, and briefly there.
func (a *acceptor) turnAway(fd int, remote netip.AddrPort, limited limit.Refusal) {
	room, able := a.listener.terms.Load().room.(adapters.RefusingRoom)
	var why core.Reason
	switch limited {
	case limit.Connections: // L5
		why = core.Quota
	case limit.RatePerPeer: // L6
		why = core.RateExceeded
	}
	if !able || why == core.OK {
		unix.Close(fd)
		return
	}
	s := a.loop.server
	if s.turnedAway.Add(1) > maxTurnedAway {
		s.turnedAway.Add(-1)
		unix.Close(fd)
		if limited == limit.Connections {
			a.pause(a.loop.turn.Now + acceptPause) // then the kernel's queue must do
		}
		return
	}
	c := a.loop.raw(fd, a.listener.counts)
	c.away = true
	c.startRefused(a.listener.info(remote, localAddr(fd)), room, why)
	if c.phase == closed {
		return
	}
	if err := a.loop.wait.control(unix.EPOLL_CTL_ADD, fd, c.at, uint32(c.events)); err != nil {
		c.gone(core.Internal)
	}
}

// startRefused is start for a connection that the gate has not counted.
func (s *stream) startRefused(info adapters.Info, room adapters.RefusingRoom, why core.Reason) {
	l := s.loop
	s.peer = originOf(&info)
	s.at = l.streams.add(s)
	l.live++
	s.some().allowance = int32(min(s.counts.of.limits().PreauthBytes, 1<<30))
	s.until(l.turn.Now.After(min(turnAwayTime, s.counts.of.limits().PreauthDeadline)))
	if !s.roomOpenRefused(info, room, why) {
		s.gone(core.Internal)
	} else if l.stopping {
		s.Evict(core.ShuttingDown)
	}
}

func (s *stream) roomOpenRefused(info adapters.Info, room adapters.RefusingRoom, why core.Reason) (ok bool) {
	defer s.rescue()
	s.conn = room.OpenRefused(s, info, why, s.loop.turn)
	return true
}
