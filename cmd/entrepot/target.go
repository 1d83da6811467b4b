package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/dial"
	"github.com/entrepot/entrepot/internal/unreadable"
)

// target holds the flags that say whom to connect to.
type target struct {
	clientID     string
	version      string
	user         string
	passwordFile string
	keepAlive    time.Duration
	session      int
	timeout      time.Duration
	secure       secure
}

func (t *target) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&t.clientID, "id", "i", "", "client id (default entrepot-RANDOM)")
	f.StringVarP(&t.version, "protocol-version", "V", "", "MQTT 3.1, 3.1.1 or 5; STOMP 1.0, 1.1 or 1.2 (default the newest)")
	f.StringVar(&t.user, "user", "", "user name")
	f.StringVar(&t.passwordFile, "password-file", "", "file that holds the password; otherwise $ENTREPOT_PASSWORD")
	f.DurationVarP(&t.keepAlive, "keep-alive", "k", time.Minute, "interval of the protocol's sign of life")
	f.IntVarP(&t.session, "session-expiry", "x", 0, "keep the session for that many seconds after the connection")
	t.secure.flags(cmd)
	f.DurationVar(&t.timeout, "timeout", 10*time.Second, "for connecting and for each answer")
}

// parse makes options of the URL and the flags.
func (t *target) parse(s streams, text string) (dial.Options, error) {
	a, err := config.ParseAddress(text)
	if err != nil {
		return dial.Options{}, &exitError{exitUsage, err.Error()}
	}
	if a.Scheme.Protocol == "http" {
		return dial.Options{}, &exitError{exitUsage, config.HidePassword(text) + ": http:// is for operators; messages travel by mqtt, ws, mqttsn, coap, stomp or amqp"}
	}
	if a.Host == "" && a.Scheme.Network != "unix" {
		a.Host = "127.0.0.1"
	}
	o := dial.Options{Address: a, ClientID: t.clientID, Version: t.version, User: t.user, KeepAlive: t.keepAlive,
		Session: time.Duration(t.session) * time.Second}
	if err := checkVersion(o.Protocol(), t.version); err != nil {
		return o, err
	}
	if o.TLS, err = t.secure.config(a.Scheme); err != nil {
		return o, err
	}
	if o.PSKIdentity, o.PSK, err = t.secure.preshared(a.Scheme); err != nil {
		return o, err
	}
	o.User, o.Password, err = credentials(s, a.User, t.user, t.passwordFile)
	return o, err
}

// credentials are a user and a password, from flags, the URL, and the environment.
func credentials(s streams, inURL *url.Userinfo, user, file string) (_ string, password []byte, err error) {
	if inURL != nil {
		text, has := inURL.Password()
		if user == "" {
			user = inURL.Username()
		}
		password = []byte(text)
		if has && isTerminal(s.err) {
			fmt.Fprintln(s.err, "entrepot: the process list shows a password in the URL; --password-file and ENTREPOT_PASSWORD do not")
		}
	}
	if password == nil && os.Getenv("ENTREPOT_PASSWORD") != "" {
		password = []byte(os.Getenv("ENTREPOT_PASSWORD"))
	}
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", nil, &exitError{exitConfig, fmt.Sprintf("--password-file %s cannot be read: %s", file, unreadable.Why(err))}
		}
		password = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	}
	return user, password, nil
}

func checkVersion(protocol, version string) error {
	known := map[string][]string{"mqtt": {"", "3.1", "3.1.1", "5"}, "stomp": {"", "1.0", "1.1", "1.2"}}[protocol]
	if known == nil {
		known = []string{""}
	}
	for _, v := range known {
		if v == version {
			return nil
		}
	}
	return &exitError{exitUsage, fmt.Sprintf("%s has no version %q", protocol, version)}
}

// connect dials within the time-out.
func (t *target) connect(ctx context.Context, o dial.Options) (dial.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	c, err := dial.Dial(ctx, o)
	if err != nil {
		return nil, failed(o.Address.String(), err)
	}
	return c, nil
}

// isTerminal tells whether somebody reads along.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
