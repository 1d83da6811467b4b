package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
)

// loadIn loads a file of the folder dir.
func loadIn(t *testing.T, dir, text string, listen ...string) (*Config, error) {
	t.Helper()
	path := filepath.Join(dir, "entrepot.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(Input{File: path, Listen: listen})
}

func TestListener_C13_FilesAreRelativeToTheFileThatNamesThem(t *testing.T) {
	t.Parallel()
	ca := tlstest.New(t, "authority")
	ca.Issue("server")
	c, err := loadIn(t, ca.Dir, `
listeners:
  - url: mqtts://127.0.0.1:8883
    tls: {cert: server.crt, key: ./server.key, client_ca: authority.pem, client_auth: optional, min_version: 1.3}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := TLS{Cert: File(ca.Dir + "/server.crt"), Key: File(ca.Dir + "/server.key"), ClientCA: File(ca.File), ClientAuth: "optional", MinVersion: "1.3"}
	if got := *c.Listeners[0].TLS; got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestListener_C3_TLSRidesInTheQuery(t *testing.T) {
	t.Parallel()
	ca := tlstest.New(t, "authority")
	leaf := ca.Issue("server")
	c, err := loadIn(t, ca.Dir, "", "mqtts://127.0.0.1:0?tls.cert="+leaf.Cert+"&tls.key="+leaf.Key+"&tls.client_auth=none&proxy_protocol.from=10.0.0.0/8&proxy_protocol.from=::1")
	if err != nil {
		t.Fatal(err)
	}
	l := c.Listeners[0]
	if string(l.TLS.Cert) != leaf.Cert || l.TLS.ClientAuth != "none" || len(l.ProxyProtocol.From) != 2 || l.ProxyProtocol.From[1].String() != "::1/128" {
		t.Errorf("%+v, %+v", l.TLS, l.ProxyProtocol)
	}
}

func TestListener_C14_MistakesOfTheTransportNameTheirPlace(t *testing.T) {
	t.Parallel()
	ca := tlstest.New(t, "authority")
	ca.Issue("server")
	ca.Issue("other")
	ca.Issue("old", tlstest.Expired)
	for name, text := range map[string]string{"good.psk": "# one\ndev1:00112233445566778899aabbccddeeff\n", "bad.psk": "dev1:0011\ndev2\n"} {
		if err := os.WriteFile(filepath.Join(ca.Dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ listener, place, want string }{
		{"url: mqtts://127.0.0.1:1", "2:10", "mqtts://127.0.0.1:1 needs a certificate"},
		{"url: wss://127.0.0.1:1", "2:10", "wss://127.0.0.1:1 needs a certificate"},
		{"url: mqtt://127.0.0.1:1\n    tls: {cert: server.crt, key: server.key}", "3:11", "mqtt:// is not encrypted by TLS, so tls would be ignored"},
		{"url: mqtts://127.0.0.1:1\n    tls: {cert: none.crt, key: server.key}", "3:17", "listeners[0].tls: " + ca.Dir + "/none.crt cannot be read: there is no such file"},
		{"url: mqtts://127.0.0.1:1\n    tls:\n      cert: server.crt\n      key: other.key", "5:12", "other.key does not belong to the certificate in"},
		{"url: mqtts://127.0.0.1:1\n    tls: {cert: old.crt, key: old.key}", "3:17", "old.crt expired at"},
		{"url: mqtts://127.0.0.1:1\n    tls: {cert: server.crt}", "3:11", "listeners[0].tls: key names no file"},
		{"url: mqtts://127.0.0.1:1\n    tls: {cert: server.crt, key: server.key, ca: x}", "3:46", `unknown key "ca" in listeners[0]`},
		{"url: mqtts://127.0.0.1:1\n    tls: {cert: server.crt, key: server.key, min_version: 1.1}", "3:59", "it must be 1.2 or 1.3"},
		{"url: mqtts://127.0.0.1:1\n    tls: {cert: server.crt, key: server.key, client_auth: request}", "3:59", "it must be none, optional or require"},
		{"url: coaps://127.0.0.1:1", "2:10", "coaps://127.0.0.1:1 needs keys of its clients, or a certificate"},
		{"url: mqttsns://127.0.0.1:1\n    psk: none.psk", "3:10", "none.psk cannot be read: there is no such file"},
		{"url: mqttsns://127.0.0.1:1\n    psk: bad.psk", "3:10", "bad.psk:2: a line is identity:key"},
		{"url: mqtts://127.0.0.1:1\n    psk: good.psk\n    tls: {cert: server.crt, key: server.key}", "3:10", "psk is for coaps:// and mqttsns://, not for mqtts://"},
		{"url: coap://127.0.0.1:1\n    tls: {cert: server.crt, key: server.key}", "3:11", "write coaps:// for it"},
		{"url: coaps://127.0.0.1:1\n    psk: good.psk\n    tls: {cert: server.crt, key: server.key, min_version: 1.3}", "4:59", "DTLS is version 1.2"},
		{"url: coaps://127.0.0.1:1\n    psk: good.psk\n    tls: {cert: none.crt, key: server.key}", "4:17", "none.crt cannot be read"},
		{"url: mqtt://127.0.0.1:1\n    proxy_protocol: {}", "3:", "names no proxy, so nobody could connect"},
		{"url: mqtt://127.0.0.1:1\n    proxy_protocol: {from: [10.0.0.0/33]}", "3:29", "it must be a range"},
		{"url: coap://127.0.0.1:1\n    proxy_protocol: {from: [10.0.0.0/8]}", "3:", "proxy_protocol is for listeners on TCP, not for coap://"},
		{"url: mqtt+unix:///a\n    proxy_protocol: {from: [10.0.0.0/8]}", "3:", "proxy_protocol is for listeners on TCP"},
		{"url: mqtt://127.0.0.1:1\n    origins: [\"https://a\"]", "3:", "origins is for ws:// and wss://, not for mqtt://"},
		{"url: ws://127.0.0.1:1\n    origins: [a.example]", "3:", `"a.example" is no origin`},
		{"url: ws://127.0.0.1:1\n    headers: {\"A B\": c}", "3:", `"A B" is no name of a header`},
		{"url: ws://127.0.0.1:1\n    headers: {A: \"b\\r\\nc\"}", "3:", `"A" has a control character in its value`},
		{"url: ws://127.0.0.1:1\n    headers: {sec-websocket-accept: x}", "3:", `"sec-websocket-accept" is set by the protocol itself`},
		{"url: mqtt://127.0.0.1:1\n    mode: 0600", "3:", "mode is for Unix sockets, not for mqtt://"},
		{"url: mqtt+unix:///a\n    mode: 0999", "3:11", "a mode is written in octal digits"},
		{"url: mqtt+unix:///a\n    mode: rw", "3:11", "a mode is written in octal digits"},
	} {
		_, err := loadIn(t, ca.Dir, "listeners:\n  - "+c.listener+"\n")
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "entrepot.yaml:"+c.place) {
			t.Errorf("%s:\n%v\nwant %s: %s", c.listener, err, c.place, c.want)
		}
	}
}

func TestListener_C22_WhatEndsSoonIsAWarning(t *testing.T) {
	t.Parallel()
	ca := tlstest.New(t, "authority")
	ca.Issue("server", tlstest.Ends(10*24*time.Hour))
	c, err := loadIn(t, ca.Dir, "listeners:\n  - url: mqtts://127.0.0.1:1\n    tls: {cert: server.crt, key: server.key}\n")
	if err != nil || len(c.Warnings) != 1 || c.Warnings[0].Code != CodeExpiring || c.Warnings[0].Line != 3 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestListener_MH4_ModeAndGroupOfAUnixSocket(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]FileMode{"": 0, "mode: 0600": 0o600, "mode: \"0660\"": 0o660, "mode: 0o666": 0o666} {
		c, err := loadIn(t, t.TempDir(), "listeners:\n  - url: mqtt+unix:///a\n    group: nogroup\n    "+text+"\n")
		if err != nil || c.Listeners[0].Mode != want || c.Listeners[0].Group != "nogroup" {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestListener_U16_KeysAloneAreEnoughForDTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.psk"), []byte("dev1:00112233445566778899aabbccddeeff\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"coaps", "mqttsns"} {
		c, err := loadIn(t, dir, "listeners:\n  - url: "+scheme+"://127.0.0.1:1\n    psk: a.psk\n")
		if err != nil || string(c.Listeners[0].PSK) != dir+"/a.psk" || len(c.Warnings) != 0 {
			t.Errorf("%s: %v, %v", scheme, err, c)
		}
	}
}

// lists is a section that names a file of revoked certificates.
type lists struct {
	CRL File `yaml:"crl"`
}

func (l *lists) Revoked() File { return l.CRL }

func TestListener_U15_AListOfAllListenersIsThatOfThoseWithoutTheirOwn(t *testing.T) {
	t.Parallel()
	ca := tlstest.New(t, "authority")
	ca.Issue("server")
	common, own := ca.Revoke("common.pem", time.Hour), ca.Revoke("own.pem", time.Hour)
	path := filepath.Join(ca.Dir, "entrepot.yaml")
	text := `
listeners:
  - {url: "mqtts://127.0.0.1:0", tls: {cert: server.crt, key: server.key, client_ca: authority.pem}}
  - {url: "stomps://127.0.0.1:0", tls: {cert: server.crt, key: server.key, client_ca: authority.pem, crl: own.pem}}
  - {url: "amqps://127.0.0.1:0", tls: {cert: server.crt, key: server.key}}
cert: {crl: common.pem}
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(Input{File: path, Sections: map[string]any{"cert": new(lists)}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{common, own, ""} {
		if got := string(c.Listeners[i].TLS.CRL); got != want {
			t.Errorf("%s has %q, want %q", c.Listeners[i].URL, got, want)
		}
	}
	if err := os.WriteFile(path, []byte(strings.Replace(text, "common.pem", "absent.pem", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = Load(Input{File: path, Sections: map[string]any{"cert": new(lists)}}); err == nil || !strings.Contains(err.Error(), "absent.pem") {
		t.Errorf("a list that is not there: %v", err)
	}
}

func TestC10_RatesAreWrittenAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"10/min", "50/s", "2000/s", "1/min", "90/min", "0.001/s", Unlimited} {
		r, err := ParseRate(text)
		if err != nil || r.String() != text {
			t.Errorf("%s is written %s, %v", text, r, err)
		}
	}
}
