package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
)

// Listener is one element of `listeners`: a URL that is served.
type Listener struct {
	// URL is what is served, such as mqtt://127.0.0.1:1883; port 0 takes a free one.
	URL string `yaml:"url"`
	// Anonymous lets clients in without a login. The default is true on loopback; elsewhere it needs insecure too.
	Anonymous *bool `yaml:"anonymous"`
	// Auth lists the kinds of evidence that count: cert, psk, password, scram. The default is all, the strongest first. With it nobody is anonymous.
	Auth []string `yaml:"auth" enum:"cert,psk,password,scram"`
	// Namespace is that of everybody who comes by this listener. The default is the user's own.
	Namespace string `yaml:"namespace"`
	// Clients is a file of clients that may come without other evidence, each with the addresses that it comes from and the user that it is: for mqttsn and coap, an explicit weakening. Clients that are not listed are refused.
	Clients File `yaml:"clients"`
	// Insecure says in plain words that a listener which others can reach may be used by everybody.
	Insecure bool `yaml:"insecure"`
	// TLS is the certificate and how clients are verified: of mqtts, wss, stomps, amqps, and of mqttsns and coaps by DTLS.
	TLS *TLS `yaml:"tls"`
	// PSK is the file of the pre-shared keys of mqttsns and coaps: identity:hexkey a line, as mosquitto's psk_file. An identity is a user.
	PSK File `yaml:"psk"`
	// ProxyProtocol expects a PROXY header, v1 or v2, before anything else.
	ProxyProtocol *ProxyProtocol `yaml:"proxy_protocol"`
	// Origins are the values of Origin from which a WebSocket is accepted, scheme://host[:port] or *. Without any it is the listener's own host. A client that sends no Origin is no browser, and accepted.
	Origins []string `yaml:"origins"`
	// Headers are sent with every HTTP answer of a WebSocket listener.
	Headers map[string]string `yaml:"headers"`
	// Limits are what of limits holds for this listener in particular; where limits has a smaller value, that one holds.
	Limits *ListenerLimits `yaml:"limits"`
	// Mode is the mode of a Unix socket's file. The default is 0660.
	Mode FileMode `yaml:"mode"`
	// Group is the group of a Unix socket's file, by name or number. The default is that of the process.
	Group string `yaml:"group"`

	// Address is the URL, taken apart.
	Address Address `yaml:"-"`
	// Own tells that the listener repeats keys of its protocol's sections.
	Own bool `yaml:"-"`
	// Sections holds a pointer to a copy of each section of the listener's protocol, with the listener's own keys applied.
	Sections map[string]any `yaml:"-"`
}

// decodeListeners fills the listeners; without any in the configuration they are the default ones.
func (s schema) decodeListeners(d *decoder, n *node) {
	if n == nil || n.kind == kindNull {
		n = &node{kind: kindList}
		for _, u := range DefaultListeners() {
			m := newMap(origin{})
			m.set("url", newScalar(u, origin{}))
			n.items = append(n.items, m)
		}
	}
	if n.kind != kindList {
		d.fail(n.at, CodeType, "listeners", "listeners is a list, not "+n.describe()).Hint = "write one line with - url: for each"
		return
	}
	if len(n.items) == 0 {
		d.fail(n.at, CodeRange, "listeners", "listeners is empty, so nothing would be served").Hint = "leave the key out for the default listeners"
	}
	seen := map[string]int{}
	for i, item := range n.items {
		s.decodeListener(d, i, item, seen)
	}
}

func (s schema) decodeListener(d *decoder, i int, n *node, seen map[string]int) {
	path := "listeners[" + strconv.Itoa(i) + "]"
	if n.kind == kindScalar { // the short form: only a URL
		m := newMap(n.at)
		m.set("url", n)
		n = m
	}
	if n.kind != kindMap {
		d.fail(n.at, CodeType, path, path+" needs a url, not "+n.describe())
		return
	}
	u := n.child("url")
	if u == nil || u.kind != kindScalar {
		d.fail(n.at, CodeURL, path, path+" has no url").Hint = "for example url: mqtt://127.0.0.1:1883"
		return
	}
	l := Listener{URL: u.text}
	address, err := ParseAddress(u.text)
	if err != nil {
		d.fail(u.at, CodeURL, path+".url", path+": "+err.Error())
		return
	}
	if address.User != nil {
		d.fail(u.at, CodeURL, path+".url", path+": the URL of a listener holds no user and password")
		return
	}
	l.Address = address
	mergeQuery(d, n, address, u.at, path)
	l.URL = address.String()
	label := fmt.Sprintf("%s (%s)", path, l.URL)
	if j, twice := seen[l.URL]; twice && address.Port != 0 {
		d.fail(u.at, CodeDuplicate, path+".url", fmt.Sprintf("%s is listed twice, also as listeners[%d]", l.URL, j))
	}
	seen[l.URL] = i
	before := len(d.problems)
	s.decodeKeys(d, n, &l, label)
	if !d.problems[before:].Failed() { // else it may not be what was meant
		checkAnonymous(d, &l, s.logins(), u.at, path)
	}
	if l.TLS != nil && l.TLS.ClientCA != "" && l.TLS.CRL == "" {
		l.TLS.CRL = s.revoked()
	}
	checkTLS(d, &l, n, u.at, path)
	checkPSK(d, &l, n, path)
	checkTransport(d, &l, n, path)
	s.config.Listeners = append(s.config.Listeners, l)
}

// mergeQuery makes keys of the URL's query, so that a --listen can carry them. A dot descends: tls.cert.
func mergeQuery(d *decoder, n *node, a Address, at origin, path string) {
	for _, key := range slices.Sorted(maps.Keys(a.Query)) {
		steps := splitKey(key)
		if n.follow(steps) != nil {
			continue // written out beside the URL: that one counts
		}
		value := flow(a.Query.Get(key), at)
		if many := a.Query[key]; len(many) > 1 {
			value = &node{kind: kindList, at: at}
			for _, text := range many {
				value.items = append(value.items, flow(text, at))
			}
		}
		if !n.put(steps, value) {
			d.fail(at, CodeType, path, fmt.Sprintf("key %q leads through a value that has no keys", key))
		}
	}
}

// decodeKeys decodes the listener's own keys and those of its protocol's sections.
func (s schema) decodeKeys(d *decoder, n *node, l *Listener, label string) {
	l.Sections = map[string]any{}
	own := fields(reflect.TypeFor[Listener]())
	known := fieldNames(own)
	names := s.protocols[l.Address.Scheme.Protocol]
	for _, name := range names {
		section := reflect.ValueOf(s.sections[name])
		if !section.IsValid() {
			continue
		}
		copied := reflect.New(section.Type().Elem())
		copied.Elem().Set(section.Elem())
		l.Sections[name] = copied.Interface()
		known = append(known, fieldNames(fields(section.Type().Elem()))...)
	}
	for _, e := range n.keys {
		if e.key == "url" {
			continue
		}
		found := d.key(e, reflect.ValueOf(l).Elem(), label)
		for _, name := range names {
			if section, ok := l.Sections[name]; ok && !found {
				found = d.key(e, reflect.ValueOf(section).Elem(), label)
				l.Own = l.Own || found
			}
		}
		if !found {
			d.unknown(e, label, known)
		}
	}
	for _, name := range names {
		if section, ok := l.Sections[name]; ok && len(n.keys) > 1 {
			d.validate(section, n, name, label)
		}
	}
}

// key decodes one key of a structure; false if the structure does not have it.
func (d *decoder) key(e *entry, v reflect.Value, path string) bool {
	for _, f := range fields(v.Type()) {
		if f.name == e.key {
			d.value(e.value, v.FieldByIndex(f.index), f.tag, path+"."+e.key)
			return true
		}
	}
	return false
}

// logins tells that somebody could log in by what the sections say.
func (s schema) logins() bool {
	for _, section := range s.sections {
		if l, ok := section.(interface{ Logins() bool }); ok && l.Logins() {
			return true
		}
	}
	return false
}

// checkAnonymous keeps a listener that others can reach closed unless the configuration says in plain words that it is
// open. Where somebody can log in, nobody is anonymous as a matter of course. SECURITY S14, U4
func checkAnonymous(d *decoder, l *Listener, logins bool, at origin, path string) {
	if l.Anonymous == nil {
		open := l.Address.Loopback() && !logins && len(l.Auth) == 0
		l.Anonymous = &open
	}
	switch {
	case *l.Anonymous && len(l.Auth) > 0:
		d.fail(at, CodeAnonymous, path, l.URL+": auth asks for evidence, and anonymous lets in who shows none").Hint = "leave one of the two out"
	case l.Address.Loopback() && *l.Anonymous, *l.Anonymous && l.Insecure, !*l.Anonymous && logins:
	case l.Address.Loopback():
		d.fail(at, CodeAnonymous, path, l.URL+": anonymous is false, and there is no user who could log in").Hint = "leave anonymous out, or add a user: entrepot user add NAME"
	default:
		p := d.fail(at, CodeAnonymous, path, l.URL+" can be reached from other machines and asks for no login")
		p.Hint = fmt.Sprintf("listen on 127.0.0.1, add users, or say that everybody may use it: anonymous: true and insecure: true (--listen '%s?anonymous=true&insecure=true')", l.URL)
	}
}
