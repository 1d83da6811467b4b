package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// ProxyProtocol is the key `proxy_protocol` of a listener. SECURITY U17
type ProxyProtocol struct {
	// From are the ranges of the proxies. Whoever connects from elsewhere is closed.
	From []netip.Prefix `yaml:"from"`
}

// A FileMode is the mode of a file, in octal digits: 0660.
type FileMode fs.FileMode

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *FileMode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(strings.TrimPrefix(string(text), "0o"), 8, 32)
	if err != nil || n == 0 || n > 0o777 {
		return errors.New("a mode is written in octal digits, such as 0660")
	}
	*m = FileMode(n)
	return nil
}

// String writes the mode as the file does.
func (m FileMode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// checkTransport refuses keys that the listener's transport has no use for, so that none is ignored in silence.
func checkTransport(d *decoder, l *Listener, n *node, path string) {
	s := l.Address.Scheme
	for _, c := range []struct {
		key, only string
		fits      bool
	}{
		{"origins", "ws:// and wss://", s.WebSocket},
		{"headers", "ws:// and wss://", s.WebSocket},
		{"clients", "mqttsn:// and coap://", s.Protocol == "mqttsn" || s.Protocol == "coap"},
		{"mode", "Unix sockets", s.Network == "unix"},
		{"group", "Unix sockets", s.Network == "unix"},
		{"proxy_protocol", "listeners on TCP", s.Network == "tcp" && s.Protocol != "http"},
	} {
		if child := n.child(c.key); child != nil && !c.fits {
			d.fail(child.at, CodeRange, path+"."+c.key, fmt.Sprintf("%s.%s is for %s, not for %s://", path, c.key, c.only, s.Name))
		}
	}
	if p := l.ProxyProtocol; p != nil && len(p.From) == 0 {
		d.fail(n.child("proxy_protocol").at, CodeRange, path+".proxy_protocol", path+".proxy_protocol names no proxy, so nobody could connect").Hint =
			"write from: [10.0.0.0/8], the addresses of the proxies"
	}
	for i, o := range l.Origins {
		u, err := url.Parse(o)
		if o != "*" && (err != nil || u.Scheme == "" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "") {
			d.fail(n.child("origins").at, CodeRange, path+".origins", fmt.Sprintf("%s.origins[%d]: %q is no origin", path, i, clip(o))).Hint =
				"write https://app.example.org, or * for every page"
		}
	}
	for name, value := range l.Headers {
		if fault := headerFault(name, value); fault != "" {
			d.fail(n.child("headers").at, CodeRange, path+".headers", fmt.Sprintf("%s.headers: %q %s", path, clip(name), fault))
		}
	}
}

// headerFault tells why a header cannot be sent. RFC 9110, section 5
func headerFault(name, value string) string {
	const token = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	if name == "" || strings.Trim(name, token) != "" {
		return "is no name of a header"
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return "has a control character in its value"
	}
	switch key := http.CanonicalHeaderKey(name); {
	case strings.HasPrefix(key, "Sec-Websocket-"), key == "Upgrade", key == "Connection", key == "Content-Length", key == "Transfer-Encoding":
		return "is set by the protocol itself"
	}
	return ""
}
