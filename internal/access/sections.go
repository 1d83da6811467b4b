package access

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/acl"
	"github.com/entrepot/entrepot/internal/auth/password"
	"github.com/entrepot/entrepot/internal/config"
)

// Auth is the section `auth`: how those who connect prove who they are.
type Auth struct {
	// Order is the order in which the backends are asked: file, jwt, http. The default is those that are set up, in that order.
	Order []string `yaml:"order" enum:"file,jwt,http"`
	// File is a file of users, as `entrepot user` writes it.
	File config.File `yaml:"file"`
	// Mosquitto uses the files of a mosquitto installation in place.
	Mosquitto Mosquitto `yaml:"mosquitto"`
	// JWT accepts JSON Web Tokens as passwords.
	JWT JWT `yaml:"jwt"`
	// HTTP asks a service about names and passwords.
	HTTP HTTP `yaml:"http"`
	// Cert takes the user's name from a client certificate.
	Cert Cert `yaml:"cert"`
	// Timeout bounds the answer of one backend; when it passes, the login is refused.
	Timeout time.Duration `yaml:"timeout" min:"100ms" max:"1m"`
	// HashWorkers is how many passwords are hashed at once, 19 MiB each. 0 is half the processors.
	HashWorkers int `yaml:"hash_workers" min:"0" max:"256"`
	// Rehash replaces weak hashes of the users file by argon2id at the next good login.
	Rehash bool `yaml:"rehash"`
}

// Mosquitto is `auth.mosquitto`.
type Mosquitto struct {
	// Passwords is the file of mosquitto's password_file.
	Passwords config.File `yaml:"passwords"`
	// ACL is the file of mosquitto's acl_file. Without it everybody may do everything, anonymous clients too, as in mosquitto. Without passwords it holds for anonymous clients alone.
	ACL config.File `yaml:"acl"`
}

// JWT is `auth.jwt`.
type JWT struct {
	// JWKS is the URL of the key set, or file:PATH.
	JWKS string `yaml:"jwks" file:"file:"`
	// Secret is the key of HMAC tokens; never together with jwks.
	Secret config.Secret `yaml:"secret"`
	// Algorithms that are accepted. The default is RS256, ES256 and EdDSA; HS256 with a secret.
	Algorithms []string `yaml:"algorithms"`
	// Issuer must be the token's iss, if it is set.
	Issuer string `yaml:"issuer"`
	// Audience must be among the token's aud, if it is set.
	Audience string `yaml:"audience"`
	// User is the claim that names the user.
	User string `yaml:"user"`
	// Namespace is the claim that names the namespace.
	Namespace string `yaml:"namespace"`
	// Roles is the claim that lists the roles.
	Roles string `yaml:"roles"`
	// ClientIDs is the claim that lists the client identifiers, with * for any characters.
	ClientIDs string `yaml:"client_ids"`
}

func (j *JWT) set() bool { return j.JWKS != "" || !j.Secret.IsZero() }

// HTTP is `auth.http`.
type HTTP struct {
	// URL is asked by POST.
	URL string `yaml:"url"`
	// Timeout of one request.
	Timeout time.Duration `yaml:"timeout" min:"100ms" max:"1m"`
	// HMAC is the key that requests are signed with.
	HMAC config.Secret `yaml:"hmac"`
	// Cache is how long a good answer counts without asking again; a bad one counts 5s at most. 0s asks at each login.
	Cache time.Duration `yaml:"cache" max:"1h"`
}

// Cert is `auth.cert`.
type Cert struct {
	// User is where the name stands: san_uri, san_dns, san_email or cn. The default is the first URI, else the common name.
	User string `yaml:"user" enum:"san_uri,san_dns,san_email,cn"`
	// Strip is cut off the beginning of the name.
	Strip string `yaml:"strip"`
	// CRL is the file of revoked certificates of clients, for each listener with a client_ca and no crl of its own. SECURITY U15
	CRL config.File `yaml:"crl"`
}

// Revoked is the file for listeners that name none.
func (a *Auth) Revoked() config.File { return a.Cert.CRL }

// ACL is the section `acl`.
type ACL struct {
	// Subscribe is subset, where a filter must lie within an allowed one, or intersect, where it must overlap one. Deliveries are checked in any case.
	Subscribe string `yaml:"subscribe" enum:"subset,intersect"`
}

// Roles is the section `roles`: lists of rules by name, or rules and limits: sensor: {rules: [...], limits: {...}}. It counts even
// if it is empty: then nobody may do anything.
type Roles map[string]Role

// Role is one element of `roles`.
type Role struct {
	// Rules are what the role allows and denies.
	Rules []acl.Rule `yaml:"rules" short:"yes"`
	// Limits bound everybody who has the role. Of several roles, and of what else limits somebody, the smallest holds.
	Limits RoleLimits `yaml:"limits"`
}

// RoleLimits is `roles.NAME.limits`.
type RoleLimits struct {
	// Connections of one user at a time; of anonymous clients all together.
	Connections int `yaml:"connections" min:"1" unlimited:"0"`
	// Subscriptions of one session.
	Subscriptions int `yaml:"subscriptions" min:"1" unlimited:"0"`
	// SessionsOffline is the number of one user's sessions that outlive their connections.
	SessionsOffline int `yaml:"sessions_offline" min:"1" unlimited:"0"`
	// Retained is the number of retained messages that one user published last.
	Retained int `yaml:"retained" min:"1" unlimited:"0"`
	// PublishRate is how many messages one connection may publish; beyond it its reading pauses, and a client of a datagram listener is refused.
	PublishRate config.Rate `yaml:"publish_rate" min:"1/s" unlimited:"-1"`
	// PublishBytesRate is how many bytes of them it may send in a second.
	PublishBytesRate config.Size `yaml:"publish_bytes_rate" min:"1" unlimited:"0"`
}

func (l *RoleLimits) core() core.PrincipalLimits {
	return core.PrincipalLimits{
		Connections: l.Connections, Subscriptions: l.Subscriptions, Sessions: l.SessionsOffline, Retained: l.Retained,
		PublishRate: max(0, int(l.PublishRate)), PublishBytesRate: int(l.PublishBytesRate),
	}
}

// Users is the section `users`.
type Users []User

// User is one element of `users`, here or in auth.file.
type User struct {
	// Name is what the user logs in with.
	Name string `yaml:"name"`
	// Role lists the roles.
	Role []string `yaml:"role"`
	// ClientIDs are the client identifiers that the user may have, with * for any characters. Without any every identifier is accepted, and {client} in a rule never matches.
	ClientIDs []string `yaml:"client_ids"`
	// Namespaces that the user may be in. The default is the default namespace.
	Namespaces []string `yaml:"namespaces"`
	// Password is a hash, as `entrepot user add` makes it, or none.
	Password Password `yaml:"password"`

	at string
}

// Locate is told where the user is written.
func (u *User) Locate(file string, line int) { u.at = fmt.Sprintf("%s:%d", file, line) }

// Password is a stored password; the word none is no login by password.
type Password struct{ *password.Hash }

// Concealed keeps what is written there out of messages: it may be a password after all.
func (p Password) Concealed() {}

// UnmarshalText reads a hash.
func (p *Password) UnmarshalText(b []byte) (err error) {
	if string(b) == "none" {
		p.Hash = nil
		return nil
	}
	p.Hash, err = password.Parse(string(b))
	return err
}

// MarshalText hides it.
func (p Password) MarshalText() ([]byte, error) {
	if p.Hash == nil {
		return []byte("none"), nil
	}
	return []byte("***"), nil
}

// String hides it.
func (p Password) String() string { return "***" }

// Sections makes the structures of the sections, at their defaults.
func Sections() map[string]any {
	return map[string]any{
		"auth":  &Auth{Timeout: 5 * time.Second, Rehash: true, HTTP: HTTP{Timeout: 2 * time.Second}, JWT: JWT{User: "sub"}},
		"acl":   &ACL{Subscribe: "subset"},
		"roles": new(Roles), "users": &Users{},
	}
}

// Logins tells that somebody could log in by what the section says.
func (a *Auth) Logins() bool {
	return a.File != "" || a.Mosquitto != (Mosquitto{}) || a.JWT.set() || a.HTTP.URL != ""
}

// Logins tells that there are users.
func (u *Users) Logins() bool { return len(*u) > 0 }

// Validate names the key that is wrong.
func (a *Auth) Validate() error {
	for _, name := range a.Order {
		switch {
		case name == "jwt" && !a.JWT.set():
			return errors.New("auth.order: jwt is listed, and auth.jwt is not set up")
		case name == "http" && a.HTTP.URL == "":
			return errors.New("auth.order: http is listed, and auth.http.url is not set")
		}
	}
	if len(a.Order) > 0 {
		for name, set := range map[string]bool{"jwt": a.JWT.set(), "http": a.HTTP.URL != ""} {
			if set && !slices.Contains(a.Order, name) {
				return fmt.Errorf("auth.order: auth.%s is set up, and not listed, so that it would never be asked", name)
			}
		}
	}
	return nil
}

// Validate names the user that is wrong.
func (u *Users) Validate() error {
	for i, x := range *u {
		if x.Name == "" {
			return fmt.Errorf("users[%d]: a user has a name", i)
		}
	}
	return nil
}
