package mosquitto

import (
	"io"
	"maps"
	"os"
	"slices"

	"github.com/entrepot/entrepot/internal/acl"
	"github.com/entrepot/entrepot/internal/auth"
	files "github.com/entrepot/entrepot/internal/auth/mosquitto"
)

// people is who may log in and what they may do.
type people struct {
	passwords, acl *Line // nil: no such file
	users          []*auth.User
	rules          *files.ACL // nil: everybody may do everything
	inPlace        bool       // the files themselves are used
	certificates   bool       // some are known by their certificates
}

// people reads the files. With several of a kind the first one counts.
func (c *converter) people() *people {
	p := &people{}
	for _, l := range c.listeners {
		s := c.security(l)
		p.passwords = c.one(p.passwords, s.passwords)
		p.acl = c.one(p.acl, s.acl)
		p.certificates = p.certificates || l.identity
	}
	clean := true
	if p.passwords != nil {
		p.passwords.value = c.file(p.passwords)
		p.users = readFile(c, p.passwords, files.Passwords, &clean)
	}
	if p.acl != nil {
		p.acl.value = c.file(p.acl)
		p.rules = readFile(c, p.acl, files.ReadACL, &clean)
		if p.rules == nil {
			p.rules = &files.ACL{} // it cannot be read: nobody may do anything
		}
		if p.rules.ClientID {
			p.acl.changed("%%c becomes {client}: every user may have every client identifier, so that it is only the client's word")
		}
	}
	p.inPlace = !c.options.Convert && clean && p.passwords != nil && !p.certificates
	switch {
	case p.inPlace || p.passwords == nil && p.acl == nil:
	case c.options.Convert:
	case p.acl != nil:
		p.acl.changed("it becomes roles, since the files cannot be used in place")
	case p.passwords != nil:
		p.passwords.changed("it becomes users, since the file cannot be used in place")
	}
	if p.certificates {
		p.add(c)
	}
	return p
}

// add makes users of those that the access control file names and the password file does not: they show a certificate.
func (p *people) add(c *converter) {
	for _, l := range c.listeners {
		if l.identity && l.line != nil {
			l.line.changed("each name of a certificate has to be a user, and mosquitto's files do not name all of them: entrepot user add NAME --hash none")
		}
	}
	if p.rules == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(p.rules.Users)) {
		if auth.CheckName(name) == nil && !slices.ContainsFunc(p.users, func(u *auth.User) bool { return u.Name == name }) {
			p.users = append(p.users, &auth.User{Name: name})
		}
	}
}

// one keeps the first of several files.
func (c *converter) one(have, next *Line) *Line {
	switch {
	case have == nil:
		return next
	case next != nil && next != have && next.value != have.value && next.Verdict != NotTranslated:
		next.lost("users and rules are the same for all listeners, and those of %s count", have.value)
	}
	return have
}

// readFile reads one of mosquitto's files with its reader, and puts what is wrong with it under its line.
func readFile[T any](c *converter, l *Line, read func(io.Reader, string) (T, []files.Problem, error), clean *bool) (v T) {
	f, err := os.Open(l.value)
	if err != nil {
		l.lost("it cannot be read: %v", plain(err))
		*clean = false
		return v
	}
	defer f.Close()
	v, problems, err := read(f, l.value)
	if err != nil {
		l.lost("%v", err)
		*clean = false
	}
	for _, p := range problems {
		x := &Line{File: l.value, Number: p.Line, Text: l.key}
		if p.Warning {
			x.changed("%s", p.Message)
		} else {
			x.lost("%s", p.Message)
			*clean = false
		}
		c.lines = append(c.lines, x)
	}
	return v
}

// anonymous settles who is let in without a login.
func (c *converter) anonymous(p *people) {
	for _, l := range c.listeners {
		said := c.security(l).allowAnonymous
		if c.plugin != nil && l.open {
			l.open = false
			if said != nil {
				said.changed("false, since the plugin does not look at clients any more")
			}
		}
		if l.open && !l.loopback() && said != nil {
			said.changed("insecure: true says beside it in plain words that everybody may use the listener")
		}
	}
}

// rulesOf are those of a user, patterns left out.
func (p *people) rulesOf(name string) []acl.Rule { return p.rules.Users[name] }
