package stomp

import (
	"context"
	"crypto/rand"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/stomp/frame"
)

// first takes the first frame of a connection (ST12).
func (c *conn) first(t *core.Turn, f *frame.Frame, out *adapters.Output) *failure {
	if f.Command == frame.Connect || f.Command == frame.Stomp {
		return c.connect(t, f, out)
	}
	return failed(core.ProtocolError, "Illegal command", "the first frame must be CONNECT or STOMP")
}

func (c *conn) connect(t *core.Turn, f *frame.Frame, out *adapters.Output) *failure {
	v, ok := negotiate(f)
	if !ok {
		return failed(core.NotSupported, "Version mismatch", "Supported versions are 1.0,1.1,1.2") // ST13
	}
	c.version = v
	if !c.beat.agree(f, &c.room.cfg) {
		return failed(core.Malformed, "Bad CONNECT", "heart-beat is not two numbers of milliseconds")
	}
	c.host, c.clientID = text(f, "host"), text(f, "client-id")
	cred := c.credentials(f)
	if len(cred.ClientID) > c.room.limits.ClientIDBytes || len(cred.User) > c.room.limits.UsernameBytes ||
		len(cred.Password) > c.room.limits.PasswordBytes {
		return c.refuseLogin()
	}
	if !legalID(cred.ClientID) {
		return failed(core.BadClientID, "Bad CONNECT", "client-id has a wildcard or a control character, or is not UTF-8")
	}
	c.handle.LoggingIn()
	ctx, cancel := context.WithTimeout(context.Background(), c.room.limits.PreauthExchange)
	c.cancel = cancel
	c.login = c.room.host.Login(ctx, cred, c.handle)
	c.state = loggingIn
	return c.advance(t, out)
}

// legalID tells whether every protocol can carry a client-id (SECURITY U6).
func legalID(id string) bool {
	for _, r := range id {
		if r == '+' || r == '#' || unicode.IsControl(r) {
			return false
		}
	}
	return utf8.ValidString(id)
}

// negotiate picks the highest version that both sides speak (ST13).
func negotiate(f *frame.Frame) (frame.Version, bool) {
	list, ok := f.Get("accept-version")
	if !ok {
		return frame.V10, true
	}
	best := frame.VersionNone
	for s := range strings.SplitSeq(string(list), ",") {
		if v, ok := frame.ParseVersion(strings.TrimSpace(s)); ok {
			best = max(best, v)
		}
	}
	return best, best != frame.VersionNone
}

func (c *conn) credentials(f *frame.Frame) adapters.Credentials {
	user, has := f.Get("login")
	pass, _ := f.Get("passcode")
	c.user = string(user)
	if !has && c.room.cfg.DefaultUser != "" && c.info.Certificate == nil { // ST16: a certificate names who it is
		c.user, pass, has = c.room.cfg.DefaultUser, []byte(c.room.cfg.DefaultPasscode), true
	}
	return adapters.Credentials{
		Protocol: Name, Listener: c.info.Listener, Addr: c.info.Addr(), ClientID: c.clientID,
		User: c.user, Password: append([]byte(nil), pass...), HasUser: has, Chooses: true,
		Loopback: c.info.Loopback, TLS: c.info.TLS, Certificate: c.info.Certificate,
	}
}

// refuseLogin never tells whether the user exists (ST16).
func (c *conn) refuseLogin() *failure {
	return failed(core.NotAuthenticated, "Bad CONNECT", "Access refused for user '"+c.user+"'")
}

// advance goes on with a login or an attachment under way.
func (c *conn) advance(t *core.Turn, out *adapters.Output) *failure {
	waited := c.state
	if c.state == loggingIn {
		p, r, done := c.login.Result()
		if !done {
			out.PauseReading()
			return nil
		}
		c.cancel()
		if bad := c.attach(t, p, r); bad != nil {
			return bad
		}
	}
	if c.state == attaching {
		attached, r := c.session.State()
		switch {
		case r != core.OK:
			return failed(r, "Bad CONNECT", r.String())
		case !attached:
			out.PauseReading()
			return nil
		}
		c.connected(t, out)
		if waited != awaitConnect {
			out.ResumeReading()
		}
	}
	return nil
}

// attach opens the session of the principal.
func (c *conn) attach(t *core.Turn, p *core.Principal, r core.Reason) *failure {
	switch {
	case r == core.NotAuthenticated || r == core.NotAuthorized:
		return c.refuseLogin()
	case r != core.OK:
		return failed(r, "Bad CONNECT", r.String())
	}
	if p = c.hosted(p); p == nil {
		return failed(core.NotAuthorized, "Bad CONNECT", "Virtual host '"+c.host+"' access denied")
	}
	c.session, r = c.room.host.Router.Attach(t, core.Client{
		Principal: p, Protocol: Name, Addr: c.info.Addr(), Each: true,
	}, c.handle)
	if r != core.OK {
		c.session = nil
		return failed(r, "Bad CONNECT", r.String())
	}
	c.principal, c.loginEnds = p, p.Ends(t.Clock())
	c.state = attaching
	return nil
}

// Identity is whose connection it is: the client-id header, or the session's
// name.
func (c *conn) Identity() adapters.Identity {
	who := adapters.Identity{Client: c.clientID, Principal: c.principal}
	if who.Client == "" {
		who.Client = c.id
	}
	if c.id != "" {
		who.Version = c.version.String()
	}
	return who
}

// hosted applies ST14 to the host header: the principal in the namespace that it names, in its own where the name is
// that of a machine; nil where it may not be.
func (c *conn) hosted(p *core.Principal) *core.Principal {
	if in := p.In(strings.TrimPrefix(c.host, "/")); in != nil {
		return in
	}
	if strings.HasPrefix(c.host, "/") || c.room.cfg.StrictHost { // a virtual host was meant
		return nil
	}
	return p.In("")
}

// connected writes CONNECTED and opens the connection (ST15).
func (c *conn) connected(t *core.Turn, out *adapters.Output) {
	c.id = "session-" + rand.Text()
	if !c.unasked {
		c.tellConnected(out)
	}
	c.parser.Version = c.version
	c.parser.Limits.Frame = 0
	c.state = open
	c.handle.Authenticated()
	c.handle.Connected()
	c.beat.lastIn, c.beat.lastOut = t.Now, t.Now
	c.handle.TickAt(c.next())
}

func (c *conn) tellConnected(out *adapters.Output) {
	f := frame.Frame{Command: frame.Connected}
	if c.room.server != "" {
		f.Add("server", c.room.server)
	}
	f.Add("session", c.id)
	f.Add("heart-beat", c.beat.advertised())
	f.Add("version", c.version.String())
	c.put(&f, out)
}
