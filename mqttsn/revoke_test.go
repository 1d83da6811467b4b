package mqttsn

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// lock denies what it names once it is shut.
type lock struct {
	rules denying
	user  string // whom everything is denied, as to a user that was deleted
	shut  atomic.Bool
}

func (l *lock) Authorize(p *core.Principal, a core.Action, topic string) bool {
	return !l.shut.Load() || p.User != l.user && l.rules.Authorize(p, a, topic)
}

// turnKey shuts or opens the lock.
func (s *sim) turnKey(l *lock, shut bool) {
	l.shut.Store(shut)
	s.do(s.router.Recheck)
}

func TestSECURITY_E6_ATopicIDIsCheckedByItsNameEachTime(t *testing.T) {
	l := &lock{rules: denying{core.ActionPublish: "a/b"}}
	simulateHost(t, Config{Predefined: map[uint16]string{7: "a/b"}}, &adapters.Host{}, core.Options{Authorizer: l}, func(s *sim) {
		d, w := s.registered("10.0.0.1:1000"), s.watch("+/b")
		d.ask("08 0c 20 04 01 00 03 78", "07 0d 04 01 00 03 00")
		w.want("a/b=x q1")
		s.turnKey(l, true)
		d.ask("08 0c 20 04 01 00 04 79", "07 0d 04 01 00 04 03")
		d.ask("08 0c 40 04 01 00 05 79", "07 0d 04 01 00 05 03")
		d.ask("08 0c 00 04 01 00 00 79")
		d.ask("08 0c 60 04 01 00 00 79") // QoS -1 inside of a session
		d.ask("08 0c 21 00 07 00 06 79", "07 0d 00 07 00 06 03")
		d.ask("08 0c a0 04 01 00 03 78", "07 0d 04 01 00 03 00") // P12: what was accepted once is acknowledged again
		// A name that is denied gets its id, which grants nothing (R10).
		d.ask("09 0a 00 00 00 07 61 2f 62", "07 0b 04 01 00 07 00")
		d.ask("08 0c 20 04 01 00 08 79", "07 0d 04 01 00 08 03")
		w.want()
		s.turnKey(l, false)
		d.ask("08 0c 20 04 01 00 09 7a", "07 0d 04 01 00 09 00")
		w.want("a/b=z q1")
	})
}

func TestSECURITY_E5_AWillAfterARevokeAndOfAUserThatWasDeleted(t *testing.T) {
	for name, x := range map[string]struct {
		l    *lock
		want []string
	}{
		"revoke":   {&lock{rules: denying{core.ActionWill: "w"}}, nil},
		"deletion": {&lock{user: "gone"}, nil},
		"neither":  {&lock{}, []string{"w=bye", "w=bye"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := x.l
			byAddress := loginFunc(func(c adapters.Credentials) (*core.Principal, core.Reason) {
				return &core.Principal{User: "gone", ClientID: c.ClientID}, core.OK
			})
			simulateHost(t, Config{}, &adapters.Host{Auth: byAddress}, core.Options{Authorizer: l}, func(s *sim) {
				w := s.watchAs("w", &core.Principal{User: "boss"})
				for i, connect := range []string{connectWill, "09 04 08 01 00 3c 63 6c 32"} { // clean, and one that stays
					d := s.at([]string{"10.0.0.1:1000", "10.0.0.2:1000"}[i])
					d.ask(connect, "02 06")
					d.ask(willTopic, "02 08")
					d.ask(willMsg, connack)
					if i == 1 {
						d.ask("04 18 00 3c", "02 18") // it falls silent asleep
					}
				}
				s.turnKey(l, true)
				s.sleep(5 * time.Minute)
				w.want(x.want...)
				if s.e.peers.len() != 0 {
					t.Errorf("%d peers", s.e.peers.len())
				}
			})
		})
	}
}
