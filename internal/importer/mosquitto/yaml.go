package mosquitto

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/entrepot/entrepot/internal/acl"
)

// Names of the roles that rules become. A user's own is user:NAME.
const (
	everybody = "everybody"
	roleOf    = "user:"
)

// everything is what mosquitto allows without an acl_file.
var everything = []string{"pubsub #", "pubsub $queue/#", "queue #", "sub $SYS/#"}

// quote writes a text as a value of the configuration: as JSON does, with dollar signs that would be replaced doubled.
func quote(s string) string { return text(strings.NewReplacer("$$", "$$$$", "${", "$${").Replace(s)) }

// text writes a key of the configuration, where nothing is replaced.
func text(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string can always be encoded
	return strings.TrimSuffix(b.String(), "\n")
}

func list(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// yaml writes the configuration.
func (c *converter) yaml(p *people) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# Made of %s by `entrepot config import mosquitto`. configs/default.yaml has all keys.\n", text(c.path))
	for _, section := range []string{"node", "log", "sys"} {
		c.keys.write(&b, section)
	}
	b.WriteString("\nlisteners:\n")
	for _, l := range c.listeners {
		if !l.lost {
			l.write(&b)
		}
	}
	if !slices.ContainsFunc(c.listeners, func(l *listener) bool { return !l.lost }) {
		b.WriteString("  # None of the listeners could be translated; this one is for this machine alone.\n  - url: mqtt://127.0.0.1:1883\n    anonymous: false\n")
	}
	b.WriteString("  # - url: http://127.0.0.1:8088   # health and metrics\n")
	p.write(&b, c)
	for _, section := range []string{"mqtt", "limits"} {
		c.keys.write(&b, section)
	}
	return []byte(b.String())
}

func (k keys) write(b *strings.Builder, section string) {
	first := true
	for _, x := range k {
		if x.section != section {
			continue
		}
		if first {
			b.WriteString("\n" + section + ":\n")
			first = false
		}
		fmt.Fprintf(b, "  %s: %s\n", x.name, x.value)
	}
}

func (l *listener) write(b *strings.Builder) {
	fmt.Fprintf(b, "  - url: %s\n", quote(l.url()))
	if l.cert != nil {
		fmt.Fprintf(b, "    tls:\n      cert: %s\n      key: %s\n", quote(l.cert.value), quote(l.key.value))
		if l.ca != "" && (l.require || l.identity) {
			fmt.Fprintf(b, "      client_ca: %s\n      client_auth: %s\n", quote(l.ca), map[bool]string{true: "require", false: "optional"}[l.require])
			if l.crl != "" {
				fmt.Fprintf(b, "      crl: %s\n", quote(l.crl))
			}
		}
		if l.version != "" {
			fmt.Fprintf(b, "      min_version: %s\n", l.version)
		}
	}
	if l.identity {
		b.WriteString("    auth: [cert]\n")
	} else {
		fmt.Fprintf(b, "    anonymous: %t\n", l.open)
		if l.open && !l.loopback() {
			b.WriteString("    insecure: true   # everybody who reaches this listener may use it\n")
		}
	}
	if l.qos > 0 {
		fmt.Fprintf(b, "    max_qos: %d\n", l.qos-1)
	}
	if len(l.origins) > 0 {
		fmt.Fprintf(b, "    origins: %s\n", list(l.origins))
	}
}

// loopback tells that only this machine can reach the listener.
func (l *listener) loopback() bool {
	a, err := netip.ParseAddr(strings.Trim(l.host, "[]"))
	return l.socket != "" || l.host == "localhost" || err == nil && a.IsLoopback()
}

// write writes who may log in and what they may do.
func (p *people) write(b *strings.Builder, c *converter) {
	open := slices.ContainsFunc(c.listeners, func(l *listener) bool { return l.open && !l.lost })
	closed := slices.ContainsFunc(c.listeners, func(l *listener) bool { return !l.open || l.lost })
	if p.rules != nil {
		b.WriteString("\nacl: {subscribe: intersect}   # as mosquitto: deliveries are what is checked\n")
	}
	if p.certificates || p.inPlace {
		b.WriteString("\nauth:\n")
	}
	if p.certificates {
		b.WriteString("  cert: {user: cn}\n")
	}
	if p.inPlace {
		fmt.Fprintf(b, "  mosquitto:\n    passwords: %s\n", quote(p.passwords.value))
		if p.acl != nil {
			fmt.Fprintf(b, "    acl: %s\n", quote(p.acl.value))
		} else if open {
			fmt.Fprintf(b, "\nroles:\n  anonymous: %s\n", list(everything))
		}
		return
	}
	p.writeRoles(b, open)
	p.writeUsers(b, closed)
}

func (p *people) writeRoles(b *strings.Builder, open bool) {
	switch {
	case p.rules == nil && len(p.users) == 0:
		return // without users and rules everybody who is let in may do everything
	case p.rules == nil:
		fmt.Fprintf(b, "\nroles:\n  %s: %s\n", everybody, list(everything))
		if open {
			fmt.Fprintf(b, "  anonymous: %s\n", list(everything))
		}
		return
	}
	b.WriteString("\nroles:\n")
	writeRules(b, everybody, p.rules.Everybody)
	writeRules(b, "anonymous", slices.Concat(p.rules.Anonymous, p.rules.Everybody))
	for _, u := range p.users {
		writeRules(b, roleOf+u.Name, p.rulesOf(u.Name))
	}
}

func writeRules(b *strings.Builder, role string, rules []acl.Rule) {
	if len(rules) == 0 {
		fmt.Fprintf(b, "  %s: []\n", text(role))
		return
	}
	fmt.Fprintf(b, "  %s:\n", text(role))
	for _, r := range rules {
		fmt.Fprintf(b, "    - %s\n", quote(r.Text))
	}
}

func (p *people) writeUsers(b *strings.Builder, closed bool) {
	if len(p.users) == 0 {
		if closed {
			b.WriteString("\n# Nobody can log in yet. Add users: entrepot user add NAME, with --hash none for the name of a certificate\nusers:\n  - {name: nobody, password: none}\n")
		}
		return
	}
	b.WriteString("\nusers:\n")
	for _, u := range p.users {
		hash, roles := "none", []string{everybody}
		if u.Password != nil {
			hash = u.Password.Text()
		}
		if p.rules != nil {
			roles = append(roles, roleOf+u.Name)
		}
		fmt.Fprintf(b, "  - {name: %s, role: %s, client_ids: [\"*\"], password: %s}\n", quote(u.Name), list(roles), quote(hash))
	}
}
