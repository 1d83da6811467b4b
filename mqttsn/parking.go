package mqttsn

import (
	"cmp"

	"github.com/entrepot/entrepot/core"
)

// parking keeps what only this protocol knows of a session while its client is
// away: the registered topic ids, and the will (C11).
type parking struct {
	limit int
	of    map[identity]parked
}

// identity is whose session it is. There is no key with fewer fields (SECURITY
// S1).
type identity struct{ namespace, user, client string }

type parked struct {
	topics topics
	will   *core.Will
	until  core.Time
}

func identify(p *core.Principal, client string) identity {
	if p == nil {
		p = core.Anonymous
	}
	return identity{cmp.Or(p.Namespace, core.DefaultNamespace), p.User, client}
}

// put parks; when all places are taken somebody else's goes, an expired one if
// one is found soon.
func (k *parking) put(now core.Time, who identity, what parked) {
	if k.of == nil {
		k.of = map[identity]parked{}
	}
	tries := 8
	for other, v := range k.of {
		if len(k.of) >= k.limit && (v.until <= now || tries == 1) || v.until <= now {
			delete(k.of, other)
		}
		if tries--; tries == 0 {
			break
		}
	}
	k.of[who] = what
}

// get takes out what was parked.
func (k *parking) get(now core.Time, who identity) (parked, bool) {
	v, ok := k.of[who]
	delete(k.of, who)
	return v, ok && v.until > now
}

// park keeps the registrations and the will of a session that can be resumed.
func (p *peer) park(now core.Time) {
	if p.clean || !p.connected() {
		return
	}
	p.e.parked.put(now, identify(p.principal, p.id), parked{
		topics: p.topics, will: p.will, until: now.After(p.e.cfg.SessionExpiry),
	})
}
