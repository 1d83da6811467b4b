package gateway

import (
	"fmt"
	"io/fs"
	"net/http"
	"reflect"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/standard"
)

// rooms are the protocols by scheme, and what they were made of: a reload keeps those whose settings have not changed.
type rooms struct {
	by   map[string]adapters.Room // by scheme
	made map[string]adapters.Room // by name
	of   map[string]any           // the section of each, by name
}

// makeRooms makes the room of each protocol that has a section, and lists it under its schemes. Rooms of old are kept
// where nothing has changed, and followed where something has; fresh lists those that were made.
func makeRooms(host *adapters.Host, sections map[string]any, old *rooms, same bool) (r *rooms, fresh []adapters.Room, err error) {
	r = &rooms{by: map[string]adapters.Room{}, made: map[string]adapters.Room{}, of: map[string]any{}}
	for _, p := range standard.Protocols() {
		c, ok := sections[p.Name].(adapters.Config)
		if !ok {
			continue
		}
		room := old.room(p.Name)
		if room == nil || !same || !reflect.DeepEqual(old.of[p.Name], sections[p.Name]) {
			made, err := p.New(host, c)
			if err != nil {
				return nil, fresh, fmt.Errorf("%s: %w", p.Name, err)
			}
			fresh = append(fresh, made)
			if s, ok := made.(adapters.Successor); ok && room != nil {
				s.Succeed(room)
			}
			room = made
		}
		r.made[p.Name], r.of[p.Name] = room, sections[p.Name]
		for _, s := range p.Schemes {
			r.by[s] = room
		}
	}
	return r, fresh, nil
}

func (r *rooms) room(name string) adapters.Room {
	if r == nil {
		return nil
	}
	return r.made[name]
}

// floor is everything that listeners stand on: the shared rooms, and those of the listeners that have keys of their own.
type floor struct {
	host   *adapters.Host
	shared *rooms
	own    map[string]*rooms          // by key
	limits map[string]adapters.Limits // of the listeners that have their own, by key
	fresh  []adapters.Room
}

// keys name listeners: by their URL, and those with the same one, which port 0 allows, by their number.
type keys map[string]int

func (k keys) of(l config.Listener) string {
	k[l.URL]++
	return fmt.Sprintf("%s#%d", l.URL, k[l.URL])
}

// lay makes the rooms of a configuration. A room that a listener has of its own shares what outlives its settings with
// the room of all.
func lay(host *adapters.Host, s *settings, old *floor) (*floor, error) {
	f := &floor{host: host, own: map[string]*rooms{}, limits: map[string]adapters.Limits{}}
	same := old != nil && reflect.DeepEqual(old.host.Limits, host.Limits)
	var shared *rooms
	if old != nil {
		shared = old.shared
	}
	var err error
	if f.shared, f.fresh, err = makeRooms(host, s.sections, shared, same); err != nil {
		return f, err
	}
	names := keys{}
	for _, l := range s.config.Listeners {
		key := names.of(l)
		if l.Address.Scheme.Protocol == "http" || !l.Own && l.Limits == nil {
			continue
		}
		mine := *host
		if l.Limits != nil {
			mine.Limits = s.limits().of(l.Limits)
			f.limits[key] = mine.Limits
		}
		before := f.shared
		kept := false
		if old != nil && old.own[key] != nil {
			before, kept = old.own[key], same && reflect.DeepEqual(old.limits[key], f.limits[key])
		}
		own, fresh, err := makeRooms(&mine, l.Sections, &rooms{made: before.made, of: pick(before.of, kept)}, kept)
		f.fresh = append(f.fresh, fresh...)
		if err != nil {
			return f, err
		}
		f.own[key] = own
	}
	return f, nil
}

func pick(of map[string]any, kept bool) map[string]any {
	if kept {
		return of
	}
	return nil
}

// undo gives what the rooms of a floor that is not used took over back to those that are.
func (f *floor) undo(used *floor) {
	for _, made := range f.fresh {
		if s, ok := used.shared.made[made.Name()].(adapters.Successor); ok {
			s.Succeed(made)
		}
	}
}

// listeners are what the server is to listen on.
func (g *Gateway) listeners(s *settings, f *floor, secured *secured) (listen.Options, error) {
	o := listen.Options{Host: f.host, Rooms: f.shared.by, Quiet: !s.config.Log.Connections}
	names := keys{}
	for _, l := range s.config.Listeners {
		key := names.of(l)
		if l.Address.Scheme.Protocol == "http" {
			continue
		}
		ll := listen.Listener{URL: l.URL, Origins: l.Origins, Mode: fs.FileMode(l.Mode), Group: l.Group}
		by := f.shared.by
		if own := f.own[key]; own != nil {
			ll.Rooms, by = own.by, own.by
		}
		if own, ok := f.limits[key]; ok {
			own = own.WithDefaults()
			ll.Limits = &own
		}
		if l.ProxyProtocol != nil {
			ll.Proxies = l.ProxyProtocol.From
		}
		for name, value := range l.Headers {
			if ll.Headers == nil {
				ll.Headers = http.Header{}
			}
			ll.Headers.Set(name, value)
		}
		var err error
		if ll.PSK, err = g.openKeys(l); err != nil {
			return o, fmt.Errorf("%s: %w", l.URL, err)
		}
		if ll.TLS, err = secured.open(g, l, len(o.Listeners), alpn(l, by)); err != nil {
			return o, fmt.Errorf("%s: %w", l.URL, err)
		}
		o.Listeners = append(o.Listeners, ll)
	}
	return o, nil
}

// alpn are the names of a listener's protocol in TLS.
func alpn(l config.Listener, rooms map[string]adapters.Room) []string {
	if l.Address.Scheme.WebSocket {
		return []string{"http/1.1"}
	}
	if r, ok := rooms[l.Address.Scheme.Name].(adapters.ALPN); ok {
		return []string{r.ALPN()}
	}
	return nil
}
