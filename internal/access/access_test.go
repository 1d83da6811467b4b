package access

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/acl"
	"github.com/entrepot/entrepot/internal/auth"
	"github.com/entrepot/entrepot/internal/auth/password"
	"github.com/entrepot/entrepot/internal/config"
)

// settings reads a configuration of the sections alone.
func settings(t *testing.T, text string) (*Settings, map[string]any, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "entrepot.yaml")
	write(t, file, text)
	sections := Sections()
	if err := config.LoadSections(file, nil, sections); err != nil {
		return nil, nil, err
	}
	s, problems := Read(Options{Sections: sections})
	if problems.Failed() {
		return s, sections, problems.Errors()
	}
	return s, sections, nil
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func control(t *testing.T, text string) *Control {
	t.Helper()
	c, _ := controlled(t, text)
	return c
}

func controlled(t *testing.T, text string) (*Control, *Settings) {
	t.Helper()
	_, sections, err := settings(t, text)
	if err != nil {
		t.Fatal(err)
	}
	c, s, problems := New(Options{Sections: sections})
	if problems.Failed() {
		t.Fatal(problems)
	}
	c.Use(s, map[string]auth.Listener{"open": {Anonymous: true}, "closed": {}, "plant": {Namespace: "plant"}, "cert": {Kinds: []string{"cert"}}})
	return c, s
}

func login(t *testing.T, c *Control, listener, user, pass, id string) (*core.Principal, core.Reason) {
	t.Helper()
	return c.Authenticate(t.Context(), adapters.Credentials{Protocol: "mqtt", Listener: listener, Addr: "127.0.0.1:9", User: user, Password: []byte(pass), HasUser: user != "", ClientID: id})
}

var hash = password.New([]byte("secret")).Text()

func TestSecurity_U5_WithoutConfigurationEverybodyMayDoEverything(t *testing.T) {
	c := control(t, "")
	p, r := login(t, c, "open", "guest", "guest", "x")
	if r != core.OK || p.User != "anonymous" || !c.Authorize(p, core.ActionPublish, "a") || !c.Authorize(p, core.ActionSubscribe, "$SYS/#") || c.Level(p) != acl.Admin {
		t.Errorf("%+v, %v", p, r)
	}
	if _, r := login(t, c, "closed", "", "", "x"); r != core.NotAuthenticated {
		t.Errorf("a listener that lets nobody in: %v", r)
	}
}

func TestSecurity_U5_WithUsersNothingIsImplied(t *testing.T) {
	c := control(t, `
roles:
  sensor: ["pub dev/{client}/#", "sub cmd/{client}/#"]
  ops: ["admin operator", "sub $SYS/#"]
users:
  - {name: gw1, role: [sensor], client_ids: ["gw1-*"], password: "`+hash+`"}
  - {name: boss, role: [ops], password: "`+hash+`"}
  - {name: beacon, role: [sensor], client_ids: ["sn-*"], namespaces: [plant], password: none}
`)
	p, r := login(t, c, "closed", "gw1", "secret", "gw1-a")
	if r != core.OK {
		t.Fatal(r)
	}
	for name, want := range map[string]bool{"dev/gw1-a/t": true, "dev/gw1-b/t": false, "x": false} {
		if c.Authorize(p, core.ActionPublish, name) != want {
			t.Errorf("publish %s", name)
		}
	}
	for _, x := range []struct {
		listener, user, pass, id string
		want                     core.Reason
	}{
		{"closed", "gw1", "wrong", "gw1-a", core.NotAuthenticated}, {"closed", "gw1", "secret", "other", core.BadClientID}, {"closed", "gw1", "secret", "gw1-a/b", core.BadClientID},
		{"closed", "nobody", "secret", "x", core.NotAuthenticated}, {"closed", "beacon", "", "sn-1", core.NotAuthenticated}, {"closed", "", "", "x", core.NotAuthenticated},
		{"plant", "gw1", "secret", "gw1-a", core.NotAuthenticated}, {"open", "gw1", "wrong", "gw1-a", core.NotAuthenticated},
	} {
		if p, r := login(t, c, x.listener, x.user, x.pass, x.id); r != x.want || p != nil {
			t.Errorf("%+v: %v, %v", x, p, r)
		}
	}
	guest, r := login(t, c, "open", "", "", "x")
	if r != core.OK || c.Authorize(guest, core.ActionPublish, "a") || c.Level(guest) != acl.None {
		t.Errorf("anonymous beside users: %+v, %v", guest, r)
	}
	if boss, _ := login(t, c, "closed", "boss", "secret", ""); c.Level(boss) != acl.Operator {
		t.Errorf("the level of ops is %v", c.Level(boss))
	}
	if c.Authorize(&core.Principal{User: "gone"}, core.ActionWill, "dev/x/t") {
		t.Error("a user that is gone has rights")
	}
}

func TestSecurity_U1_U3_E11_EvidenceOfTheTransport(t *testing.T) {
	c := control(t, `
roles: {r: ["pub #"]}
users: [{name: dev7, role: [r], password: "`+hash+`"}, {name: eve, role: [r], password: "`+hash+`"}]
auth: {cert: {user: san_uri, strip: "urn:dev:"}}
`)
	dev7 := &adapters.Certificate{CommonName: "whatever", URIs: []string{"urn:dev:dev7"}}
	for name, x := range map[string]struct {
		cr   adapters.Credentials
		want string
	}{
		"certificate":                  {adapters.Credentials{Listener: "cert", Certificate: dev7}, "dev7"},
		"and its name":                 {adapters.Credentials{Listener: "cert", Certificate: dev7, HasUser: true, User: "dev7"}, "dev7"},
		"and another name":             {adapters.Credentials{Listener: "cert", Certificate: dev7, HasUser: true, User: "eve", Password: []byte("secret")}, ""},
		"beside passwords":             {adapters.Credentials{Listener: "closed", Certificate: dev7, HasUser: true, User: "eve", Password: []byte("secret")}, ""},
		"password where cert is asked": {adapters.Credentials{Listener: "cert", HasUser: true, User: "eve", Password: []byte("secret")}, ""},
		"nothing where cert is asked":  {adapters.Credentials{Listener: "cert"}, ""},
		"no URI":                       {adapters.Credentials{Listener: "cert", Certificate: &adapters.Certificate{CommonName: "dev7"}}, ""},
		"nobody's":                     {adapters.Credentials{Listener: "cert", Certificate: &adapters.Certificate{URIs: []string{"urn:dev:x"}}}, ""},
		"control characters":           {adapters.Credentials{Listener: "cert", Certificate: &adapters.Certificate{URIs: []string{"urn:dev:dev7\r\n"}}}, ""},
		"identity":                     {adapters.Credentials{Listener: "closed", PSKIdentity: "dev7"}, "dev7"},
		"certificate before identity":  {adapters.Credentials{Listener: "closed", Certificate: dev7, PSKIdentity: "eve"}, "dev7"},
		"identity where cert is asked": {adapters.Credentials{Listener: "cert", PSKIdentity: "dev7"}, ""},
	} {
		p, r := c.Authenticate(t.Context(), x.cr)
		if x.want == "" && (p != nil || r != core.NotAuthenticated) || x.want != "" && (p == nil || p.User != x.want) {
			t.Errorf("%s: %+v, %v", name, p, r)
		}
	}
}

func TestTheFilesOfMosquittoInPlace(t *testing.T) {
	dir := t.TempDir()
	h, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "pw"), "joe:"+string(h)+"\n")
	write(t, filepath.Join(dir, "acl"), "topic read public/#\nuser joe\ntopic write dev/joe\npattern read home/%u/#\npattern write c/%c\n")
	c := control(t, "auth: {mosquitto: {passwords: "+filepath.Join(dir, "pw")+", acl: "+filepath.Join(dir, "acl")+"}}\nacl: {subscribe: intersect}\n")
	joe, r := login(t, c, "closed", "joe", "secret", "c1")
	if r != core.OK {
		t.Fatal(r)
	}
	for _, x := range []struct {
		a    core.Action
		name string
		want bool
	}{
		{core.ActionPublish, "dev/joe", true}, {core.ActionPublish, "dev/x", false}, {core.ActionDeliver, "home/joe/x", true}, {core.ActionDeliver, "home/ann/x", false},
		{core.ActionSubscribe, "#", true}, {core.ActionDeliver, "public/x", false}, {core.ActionPublish, "c/c1", true}, {core.ActionPublish, "c/c2", false},
	} {
		if c.Authorize(joe, x.a, x.name) != x.want {
			t.Errorf("action %d on %s", x.a, x.name)
		}
	}
	guest, _ := login(t, c, "open", "", "", "x")
	if !c.Authorize(guest, core.ActionDeliver, "public/x") || c.Authorize(guest, core.ActionPublish, "dev/joe") {
		t.Error("anonymous")
	}
	open := control(t, "auth: {mosquitto: {passwords: "+filepath.Join(dir, "pw")+"}}")
	if joe, _ := login(t, open, "closed", "joe", "secret", "c1"); !open.Authorize(joe, core.ActionPublish, "anything") {
		t.Error("without an acl_file everything is allowed")
	}
	if guest, _ := login(t, open, "open", "", "", "x"); !open.Authorize(guest, core.ActionPublish, "anything") || open.Level(guest) != acl.None {
		t.Error("without an acl_file anonymous clients may do everything, but administer")
	}
	mine := control(t, "auth: {mosquitto: {passwords: "+filepath.Join(dir, "pw")+"}}\nroles: {anonymous: [\"sub a\"]}")
	if guest, _ := login(t, mine, "open", "", "", "x"); mine.Authorize(guest, core.ActionPublish, "anything") || !mine.Authorize(guest, core.ActionSubscribe, "a") {
		t.Error("a role anonymous of ours holds")
	}
}

func TestAMosquittoACLWithoutPasswordsHoldsForWhoIsAnonymous(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "acl"), "topic read public/#\nuser joe\ntopic write dev/joe\npattern read all/#\n")
	text := "auth: {mosquitto: {acl: " + filepath.Join(dir, "acl") + "}}\n"
	c := control(t, text)
	guest, _ := login(t, c, "open", "", "", "x")
	if !c.Authorize(guest, core.ActionSubscribe, "public/x") || !c.Authorize(guest, core.ActionSubscribe, "all/x") || c.Authorize(guest, core.ActionPublish, "public/x") {
		t.Error("anonymous")
	}
	if _, r := login(t, c, "closed", "", "", "x"); r != core.NotAuthenticated {
		t.Error("a listener that lets nobody in")
	}
	sections := Sections()
	sections["auth"].(*Auth).Mosquitto.ACL = config.File(filepath.Join(dir, "acl"))
	_, problems := Read(Options{Sections: sections})
	if len(problems) != 1 || !problems[0].Warning || problems[0].Line != 3 || !strings.Contains(problems[0].Message, `user "joe" has no password`) {
		t.Errorf("%+v", problems)
	}
}

func TestBuiltInRulesAreRules(t *testing.T) {
	for _, text := range append(slices.Clone(openRules), "admin admin") {
		if _, err := acl.Parse(text); err != nil {
			t.Error(err)
		}
	}
}

func TestSecurity_S7_WhatCannotBeReadIsAnError(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"empty.yaml": "", "blank.yaml": " \n\t\n", "null.yaml": "users:\n", "nobody.yaml": "users: []\n", "half.yaml": "users:\n  - name: a\n    pass", "more.yaml": "include: [nobody.yaml]\nusers: []\n", "blank": " \n", "broken.yaml": "users: [", "plain.yaml": "users: [{name: a, password: secret}]", "pw": "joe:secret\n", "keys.json": "{}"} {
		write(t, filepath.Join(dir, name), text)
	}
	for text, want := range map[string]string{
		"auth: {file: " + dir + "/none.yaml}":                           "none.yaml",
		"auth: {file: " + dir + "/empty.yaml}":                          "the file holds no list of users",
		"auth: {file: " + dir + "/blank.yaml}":                          "blank.yaml:",
		"auth: {file: " + dir + "/null.yaml}":                           "the file holds no list of users",
		"auth: {file: " + dir + "/half.yaml}":                           "half.yaml:3:",
		"auth: {file: " + dir + "/more.yaml}":                           "more.yaml:1:1: a file of users includes no others",
		"auth: {file: " + dir + "}":                                     "is a directory",
		"auth: {mosquitto: {passwords: " + dir + "/blank}}":             "blank is empty",
		"auth: {mosquitto: {acl: " + dir + "/blank}}":                   "blank is empty",
		"auth: {mosquitto: {acl: " + dir + "/none}}":                    "none cannot be read: there is no such file",
		"auth: {file: " + dir + "/broken.yaml}":                         "not valid YAML",
		"auth: {file: " + dir + "/plain.yaml}":                          "entrepot user add",
		"auth: {mosquitto: {passwords: " + dir + "/pw}}":                "pw:1:1: user \"joe\"",
		"auth: {jwt: {jwks: \"file:" + dir + "/none.json\"}}":           "none.json",
		"auth: {jwt: {jwks: nonsense}}":                                 "is no URL",
		"auth: {jwt: {jwks: \"https://x/y\", secret: s}}":               "never both",
		"auth: {jwt: {jwks: \"https://x/y\", algorithms: [none]}}":      "\"none\" is no algorithm",
		"auth: {http: {url: \"ftp://x\"}}":                              "is no URL",
		"auth: {order: [jwt]}":                                          "jwt is listed",
		"auth: {order: [file], jwt: {secret: s}}":                       "never be asked",
		"users: [{name: a, role: [nobody], password: none}]":            "has the role \"nobody\"",
		"users: [{name: \"a+\", password: none}]":                       "has a + or #",
		"users: [{name: a, password: none}, {name: a, password: none}]": "there already",
		"roles: {r: [\"publish a\"]}":                                   "is no verb",
		"roles: {r: [\"pub a#\"]}":                                      "is no topic filter",
		"auth: {nonsense: 1}":                                           "unknown key",
		"users: [{name: a, pasword: x}]":                                "did you mean \"password\"",
	} {
		_, _, err := settings(t, text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n\t%v\n\twant %s", text, err, want)
		}
	}
	s, _, err := settings(t, "auth: {file: "+dir+"/nobody.yaml}")
	if err != nil || !s.Configured() {
		t.Errorf("a file without users lets nobody in: %v", err)
	}
	if s, _, err := settings(t, "users: []"); err != nil || s.Configured() {
		t.Errorf("no users: %v", err)
	}
	for _, text := range []string{"roles: {}", "roles:"} {
		if s, _, err := settings(t, text); err != nil || !s.Configured() {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestUsersAreEdited(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users.yaml")
	add := func(name string) error {
		return EditUsers(file, func(f *File) error { return f.Add(Entry{Name: name, Role: []string{"r"}, Password: Stored(hash)}) })
	}
	for _, name := range []string{"joe", "ann"} {
		if err := add(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := add("joe"); err != ErrUserExists {
		t.Errorf("twice: %v", err)
	}
	if err := EditUsers(file, func(f *File) error { return f.Delete("joe") }); err != nil {
		t.Fatal(err)
	}
	if err := EditUsers(file, func(f *File) error { return f.SetPassword("joe", hash) }); err != ErrNoUser {
		t.Errorf("gone: %v", err)
	}
	users, err := UsersFile(file)
	if err != nil || len(users) != 1 || users[0].Name != "ann" || !users[0].Password.Verify([]byte("secret")) {
		t.Errorf("%v, %v", users, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	write(t, file, "users: [{name: a, password: secret}]")
	if err := add("bob"); err == nil {
		t.Error("a file with a mistake was written over")
	}
}

func TestWeakHashesAreReplaced(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users.yaml")
	weak := "$6$c2FsdHNhbHRzYWx0$" + sha512OfSecret
	write(t, file, "users: [{name: joe, password: \""+weak+"\"}]")
	c, s := controlled(t, "auth: {file: "+file+"}")
	if _, r := login(t, c, "closed", "joe", "secret", "x"); r != core.OK {
		t.Fatal(r)
	}
	s.rewrites.running.Wait()
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), "$argon2id$") || strings.Contains(string(text), weak) {
		t.Errorf("%s, %v", text, err)
	}
}

// sha512OfSecret is the SHA-512 of "secret" and the salt "saltsaltsalt", as mosquitto 1 stores it.
const sha512OfSecret = "3aiBbchfIZo+1WYrkPzJjQxZ79F/NmwLQ+wF073kTd+6ANhaic8G/jWF/X4sqSFUKpLNdm1FZjBck6HQ8knM3A=="
