package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// An Address is a URL of the scheme table, taken apart.
type Address struct {
	Scheme Scheme
	// Host is a name or an address without brackets, empty for every interface.
	Host string
	Port int
	// Path is the WebSocket path, or the path of a Unix socket; empty for none.
	Path     string
	User     *url.Userinfo
	Query    url.Values
	HasQuery bool
}

// ParseAddress takes a URL apart. The error is one sentence that says what to write instead.
func ParseAddress(text string) (Address, error) {
	shown := clip(HidePassword(text))
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return Address{}, fmt.Errorf("%q is not a URL; write for example mqtt://127.0.0.1:1883", shown)
	}
	s, ok := LookupScheme(scheme)
	if !ok {
		hint := "the schemes are " + join(SchemeNames())
		if near := Nearest(scheme, SchemeNames()); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		return Address{}, fmt.Errorf("%q: unknown scheme %q; %s", shown, clip(scheme), hint)
	}
	// net/url knows no host in a Unix URL; a common scheme keeps its rules the same for all of ours.
	u, err := url.Parse("x://" + rest)
	if err != nil {
		if HidePassword(text) != text { // what is wrong may be said with a part of it
			return Address{}, fmt.Errorf("%q cannot be read; in a name or password / ? # [ ] @ %% and blanks are written %%2F %%3F %%23 %%5B %%5D %%40 %%25 %%20", shown)
		}
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return Address{}, fmt.Errorf("%q: %s", shown, err)
	}
	a := Address{Scheme: s, Host: u.Hostname(), Port: s.Port, Path: u.Path, User: u.User, HasQuery: u.RawQuery != ""}
	if a.Query, err = url.ParseQuery(u.RawQuery); err != nil {
		return Address{}, fmt.Errorf("%q: the part after ? cannot be read", shown)
	}
	if u.Fragment != "" {
		return Address{}, fmt.Errorf("%q: a URL here has no #", shown)
	}
	if s.Network == "unix" {
		if u.Host != "" || u.Path == "" || u.Path == "/" {
			return Address{}, fmt.Errorf("%q: write the socket's path after three slashes, for example %s:///run/entrepot.sock", shown, s.Name)
		}
		return a, nil
	}
	if p := u.Port(); p != "" {
		if a.Port, err = strconv.Atoi(p); err != nil || a.Port > 65535 {
			return Address{}, fmt.Errorf("%q: port %s is not between 0 and 65535", shown, p)
		}
	} else if strings.HasSuffix(u.Host, ":") {
		return Address{}, fmt.Errorf("%q: the port is missing after the colon", shown)
	}
	if s.WebSocket {
		return a, nil
	}
	if a.Path == "/" {
		a.Path = ""
	}
	if a.Path != "" {
		return Address{}, fmt.Errorf("%q: %s:// has no path; did you forget a space before %s?", shown, s.Name, a.Path)
	}
	return a, nil
}

// afterScheme is what stands before user and password, with one of its characters missing or none.
var afterScheme = regexp.MustCompile(`:?//|:/`)

// HidePassword is the URL with *** for its password, if it has one: also of a URL that cannot be parsed, where it goes to
// the last @, and of what is none because a colon or a slash is missing.
func HidePassword(url string) string {
	slashes := afterScheme.FindStringIndex(url)
	end := strings.LastIndexByte(url, '@')
	if slashes == nil || end < slashes[1] {
		return url
	}
	begin := slashes[1]
	if colon := strings.IndexByte(url[begin:end], ':'); colon >= 0 {
		return url[:begin+colon+1] + hidden + url[end:]
	}
	return url
}

// HostPort is the address to bind or dial.
func (a Address) HostPort() string { return net.JoinHostPort(a.Host, strconv.Itoa(a.Port)) }

// Loopback tells whether only this machine can reach the address.
func (a Address) Loopback() bool {
	if a.Scheme.Network == "unix" || a.Host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(a.Host)
	return err == nil && ip.IsLoopback()
}

// String writes the URL without user and query.
func (a Address) String() string {
	if a.Scheme.Network == "unix" {
		return a.Scheme.Name + "://" + a.Path
	}
	return a.Scheme.Name + "://" + a.HostPort() + a.Path
}
