package mqtt

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// Rate is a number of events a second, written 100/s.
type Rate int

// UnmarshalText reads a rate.
func (r *Rate) UnmarshalText(text []byte) error {
	number, ok := strings.CutSuffix(string(text), "/s")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 1 || n > 1_000_000 {
		return errors.New("it must be a rate such as 100/s, 1/s to 1000000/s")
	}
	*r = Rate(n)
	return nil
}

// String writes a rate.
func (r Rate) String() string { return strconv.Itoa(int(r)) + "/s" }

const defaultDrainRate = 100 // a second

// checkReference checks a Server Reference: host[:port], several separated by
// one blank each, IPv6 in brackets. MN2
func checkReference(s string) error {
	if s == "" {
		return nil
	}
	if len(s) > 65535 {
		return errors.New("longer than 65535 bytes")
	}
	for server := range strings.SplitSeq(s, " ") {
		if err := checkServer(server); err != nil {
			return fmt.Errorf("%q is no server: %w", server, err)
		}
	}
	return nil
}

func checkServer(s string) error {
	host, port, hasPort := s, "", false
	if rest, ok := strings.CutPrefix(s, "["); ok {
		inner, after, closed := strings.Cut(rest, "]")
		if a, err := netip.ParseAddr(inner); err != nil || !a.Is6() || !closed {
			return errors.New("brackets hold an IPv6 address")
		}
		host = ""
		if port, hasPort = strings.CutPrefix(after, ":"); !hasPort && after != "" {
			return errors.New("a port follows the bracket as :port")
		}
	} else if host, port, hasPort = strings.Cut(s, ":"); !isHost(host) {
		return errors.New("it is written host, host:port or [IPv6]:port")
	}
	if n, err := strconv.ParseUint(port, 10, 16); hasPort && (err != nil || n == 0) {
		return errors.New("a port is 1 to 65535, and IPv6 stands in brackets")
	}
	return nil
}

// isHost reports whether s is a name of DNS, or IPv4, which looks like one.
func isHost(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsFunc(label, notInHost) {
			return false
		}
	}
	return true
}

func notInHost(r rune) bool {
	return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

var _ adapters.RedirectingRoom = (*Room)(nil)

// Redirect implements adapters.RedirectingRoom. MN1
func (r *Room) Redirect(on bool) (rate int) {
	if len(r.set.reference) == 0 {
		return 0
	}
	r.redirecting.Store(on)
	return r.set.drainRate
}

// redirects reports whether somebody who comes now is sent away. Who is exempt
// is let in, unless the gateway stops. MN4
func (r *Room) redirects(p *core.Principal) bool {
	return r.redirecting.Load() && (r.host.Router.Stopping() || !r.exempt(p))
}

// redirectsAll is redirects before anybody has logged in.
func (r *Room) redirectsAll() bool {
	return r.redirecting.Load() && (r.host.Router.Stopping() || len(r.set.exempt) == 0)
}

func (r *Room) exempt(p *core.Principal) bool {
	if p == nil || len(r.set.exempt) == 0 {
		return false
	}
	return slices.ContainsFunc(r.set.exempt, func(name string) bool { return name == p.User || slices.Contains(p.Roles, name) })
}

var _ adapters.Movable = (*conn)(nil)

// Moves implements adapters.Movable.
func (c *conn) Moves(room adapters.RedirectingRoom) bool {
	return room == adapters.RedirectingRoom(c.room) && c.phase == connected && !c.room.exempt(c.session.Principal())
}

// refer makes a packet say which server to use. 9C, or 9D for good. MN1
func (c *conn) refer(code packet.Code, p *packet.Properties, why core.Reason) packet.Code {
	if why != core.Moved {
		return code
	}
	if len(c.room.set.reference) > 0 {
		p.SetStr(packet.ServerReference, c.room.set.reference)
	}
	return c.room.set.movedCode
}

// fit leaves out what may be left out of a packet that is too large for the
// client; false: it is too large all the same. [MQTT-3.1.2-24]
func (c *conn) fit(p *packet.Properties, size func() int) bool {
	for _, optional := range [...]packet.PropID{packet.ReasonString, packet.ServerReference} {
		if c.maxOut == 0 || size() <= int(c.maxOut) {
			return true
		}
		p.Drop(optional) // [MQTT-3.2.2-19] [MQTT-3.2.2-20] [MQTT-3.14.2-3] [MQTT-3.14.2-4], MN2
	}
	return size() <= int(c.maxOut)
}
