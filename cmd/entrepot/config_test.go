package main

import (
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
)

// writeConfig writes a file into a folder.
func writeConfig(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestConfigCheck_FindsWhatAStartWouldRefuse(t *testing.T) {
	t.Parallel()
	ca := tlstest.New(t, "authority")
	ca.Issue("server")
	ca.Issue("soon", tlstest.Ends(10*24*time.Hour))
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	foreign := filepath.Join(ca.Dir, "foreign")
	if err := os.MkdirAll(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	writeConfig(t, foreign, "other", "x")
	newer := filepath.Join(ca.Dir, "newer", "store")
	if err := os.MkdirAll(newer, 0o700); err != nil {
		t.Fatal(err)
	}
	writeConfig(t, newer, "entrepot-store", "99\n")
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	const users = "users: [{name: joe, role: [r], password: none}]\n"
	ca.Issue("cut", func(c *x509.Certificate) {
		c.IssuingCertificateURL = []string{"http://ca.example.org/intermediate.crt"}
	})
	const weak = "$6$c2FsdHNhbHRzYWx0$3aiBbchfIZo+1WYrkPzJjQxZ79F/NmwLQ+wF073kTd+6ANhaic8G/jWF/X4sqSFUKpLNdm1FZjBck6HQ8knM3A=="
	writeConfig(t, ca.Dir, "pw", "joe:"+weak+"\nann:"+weak+"\n")
	writeConfig(t, ca.Dir, "acl", "topic a\n")
	for name, x := range map[string]struct {
		text, want string
		code       int
	}{
		"C20 key":           {"listeners: [{url: 'mqtt://127.0.0.1:0', anonymus: true}]\n", `did you mean "anonymous"?`, 3},
		"C20 role":          {"users: [{name: a, role: [none], password: none}]\n", `has the role "none", which does not exist`, 3},
		"C21 file":          {"auth: {file: nobody.yaml}\n", "there is no such file", 3},
		"C21 log":           {"log: {file: none/log}\n", "log.file: " + ca.Dir + "/none/log cannot be opened: there is no such file", 3},
		"C21 log, a folder": {"log: {file: foreign}\n", "log.file: " + ca.Dir + "/foreign cannot be opened: is a directory", 3},
		"C21 log, new":      {"log: {file: new.log}\n", ": ok\n", 0},
		"C22 names":         {"listeners: [{url: 'mqtts://127.0.0.9:0', tls: {cert: server.crt, key: server.key}}]\n", `is not for "127.0.0.9"`, 0},
		"C22 soon":          {"listeners: [{url: 'mqtts://127.0.0.1:0', tls: {cert: soon.crt, key: soon.key}}]\n", "warning: listeners[0].tls: ", 0},
		"C23 port":          {"listeners: ['mqtt://127.0.0.1:" + port + "']\n", "address in use by ", 3},
		"C23 two as one":    {"listeners: ['mqtt://127.0.0.1:28531', 'stomp://localhost:28531']\n", "another listener of this configuration has the address", 3},
		"C23 udp is apart":  {"listeners: ['coap://127.0.0.1:" + port + "']\n", ": ok", 0},
		"C24 anonymous":     {"listeners: ['mqtt://0.0.0.0:0?anonymous=true&insecure=true']\n", "anybody who reaches this listener may use it", 0},
		"C22 chain":         {"listeners: [{url: 'mqtts://127.0.0.1:0', tls: {cert: cut.crt, key: cut.key}}]\n", "is missing below, so that clients", 0},
		"C21 jwks":          {"auth: {jwt: {jwks: 'file:keys/none.json'}}\n", ca.Dir + "/keys/none.json", 3},
		"C24 reads all":     {users + "roles: {r: [\"sub #\", \"deny sub secret/#\"]}\n", "role \"r\" reads whatever is published in its namespaces, by everybody (sub #), but not secret/#", 0},
		"C24 client":        {users + "roles: {r: [\"pub a/{client}\"]}\n", "user \"joe\" has a rule with {client} and no client_ids", 3},
		"C24 anonymous id":  {users + "roles: {r: [\"pub a\"], anonymous: [\"pub a/{client}\"]}\n", "which never matches: an identifier without a login", 0},
		"C24 unused":        {users + "roles: {r: [\"pub a\"], other: [\"pub a\"]}\n", "nobody has the role \"other\"", 0},
		"C24 tokens":        {users + "roles: {r: [\"pub a\"], other: [\"pub a\"]}\nauth: {http: {url: 'http://127.0.0.1:1/'}}\n", ": ok\n", 0},
		"C24 dead":          {users + "roles: {r: [\"pub a/b\", \"deny pub a/#\"]}\n", "\"pub a/b\" of role \"r\" allows nothing: \"deny pub a/#\" (", 0},
		"C24 weak":          {"auth: {mosquitto: {passwords: pw, acl: acl}}\nacl: {subscribe: intersect}\n", "user \"joe\" and 1 more have a weak hash, of the form of mosquitto 1", 0},
		"C24 mosquitto":     {"auth: {mosquitto: {passwords: pw}}\n", "auth.mosquitto has no acl: as in mosquitto, every user", 0},
		"C26 reserve":       {"node: {data: none}\nstore: {reserve: 1000000GiB}\n", "so that nothing would be stored", 0},
		"C26 foreign":       {"node: {data: foreign}\n", "holds files, but no store of entrepot", 3},
		"C26 newer":         {"node: {data: newer}\n", "written by a newer version of entrepot", 3},
		"C27 connections":   {"limits: {connections: 1000000000}\n", "need more descriptors than", 0},
	} {
		if !strings.Contains(x.text, "listeners") {
			x.text += "listeners: ['mqtt://127.0.0.1:0']\n"
		}
		if !strings.Contains(x.text, "node") {
			x.text += "node: {data: memory}\n"
		}
		if !strings.Contains(x.text, "limits") {
			x.text += "limits: {connections: 10}\n"
		}
		file := writeConfig(t, ca.Dir, "entrepot.yaml", x.text)
		code, out, stderr := execute(t, "", "config", "check", file)
		if code != x.code || !strings.Contains(out+stderr, x.want) {
			t.Errorf("%s: exit %d\n%s%s", name, code, out, stderr)
		}
		if strings.Contains(x.want, "warning") && code == 0 && !strings.Contains(out, ": ok, 1 warning") {
			t.Errorf("%s: %s", name, out)
		}
	}
	for _, name := range []string{"entrepot-data", "new.log"} {
		if _, err := os.Stat(filepath.Join(ca.Dir, name)); err == nil {
			t.Errorf("a check has made %s", name)
		}
	}
}

func TestConfigCheck_AsJSON(t *testing.T) {
	t.Parallel()
	file := writeConfig(t, t.TempDir(), "entrepot.yaml", "node: {data: memory}\nlisteners: ['mqtt://127.0.0.1:0']\nmqtt:\n  max_qoss: 1\n")
	code, out, _ := execute(t, "", "config", "check", file, "-o", "json")
	var list []map[string]any
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 3 || len(list) != 1 {
		t.Fatalf("exit %d, %v: %s", code, err, out)
	}
	want := map[string]any{"code": "E-CONFIG-UNKNOWN-KEY", "severity": "error", "file": file, "line": 4.0, "column": 3.0, "path": "mqtt",
		"message": `unknown key "max_qoss" in mqtt`, "hint": `did you mean "max_qos"?`}
	for k, v := range want {
		if list[0][k] != v {
			t.Errorf("%s is %v, want %v", k, list[0][k], v)
		}
	}
	if len(list[0]) != len(want) {
		t.Errorf("%v", list[0])
	}
	file = writeConfig(t, t.TempDir(), "entrepot.yaml", "node: {data: memory}\nlisteners: ['mqtt://127.0.0.1:0']\nlimits: {connections: 10}\n")
	if code, out, _ := execute(t, "", "config", "check", file, "-o", "json"); code != 0 || strings.TrimSpace(out) != "[]" {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestC4_ShowNamesTheSourceOfEachValue(t *testing.T) {
	t.Setenv("ENTREPOT_LOG__LEVEL", "debug")
	dir := t.TempDir()
	file := writeConfig(t, dir, "entrepot.yaml", "include: more.yaml\nmqtt:\n  max_qos: 1\nauth: {jwt: {secret: planted-secret}}\n")
	writeConfig(t, dir, "more.yaml", "\nlimits: {queues: 7}\n")
	code, out, stderr := execute(t, "", "config", "show", "--sources", "--set", "limits.connections=9", file)
	for _, want := range []string{
		"max_qos: 1  # " + file + ":3\n", "level: debug  # env ENTREPOT_LOG__LEVEL\n", "connections: 9  # flag --set\n",
		"namespace: 7  # " + dir + "/more.yaml:2\n", "message_bytes: 16MiB  # default\n", `secret: "***"  # ` + file + ":4\n", "  - url: \"mqtt://127.0.0.1:1883\"  # default\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q", want)
		}
	}
	if code != 0 || strings.Contains(out+stderr, "planted-secret") {
		t.Errorf("exit %d %s", code, stderr)
	}
}

func TestWhatShowPrintsMeansTheSame(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, text := range []string{"node: {data: memory}\n", "node: {data: x}\nmqtt: {max_qos: 1}\nlisteners:\n  - {url: 'ws://127.0.0.1:1', origins: ['*'], max_qos: 0, headers: {A: \"x: $$y\"}}\n" +
		"  - mqtt+unix:///tmp/x\nroles: {a: ['pub a/{client}/#', 'deny retain #']}\nlimits: {drain: unlimited, accept_rate: unlimited, trusted: []}\n"} {
		file := writeConfig(t, dir, "entrepot.yaml", text)
		code, first, stderr := execute(t, "", "config", "show", file)
		if code != 0 {
			t.Fatal(stderr)
		}
		shown := writeConfig(t, dir, "shown.yaml", first)
		code, second, stderr := execute(t, "", "config", "show", shown)
		if code != 0 || first != second {
			t.Errorf("exit %d: %s\n%s", code, stderr, second)
		}
		if code, out, stderr := execute(t, "", "config", "show", file, "--diff", shown); code != 0 || out != "" {
			t.Errorf("exit %d: %s%s", code, out, stderr)
		}
	}
	other := writeConfig(t, dir, "other.yaml", "mqtt: {max_qos: 2}\nlog: {level: warn}\n")
	mine := writeConfig(t, dir, "mine.yaml", "mqtt: {max_qos: 1}\nlisteners: ['mqtt://127.0.0.1:5']\n")
	_, out, _ := execute(t, "", "config", "show", mine, "--diff", other)
	for _, want := range []string{"- mqtt.max_qos: 2\n+ mqtt.max_qos: 1\n", "- log.level: warn\n+ log.level: info\n", "+ listeners[mqtt://127.0.0.1:5].url: "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestTheSchemaKnowsEveryKeyAndNoOther(t *testing.T) {
	t.Parallel()
	code, out, stderr := execute(t, "", "config", "show", "--schema")
	var schema struct {
		Properties           map[string]map[string]any
		AdditionalProperties bool
	}
	if err := json.Unmarshal([]byte(out), &schema); err != nil || code != 0 || schema.AdditionalProperties {
		t.Fatal(code, err, stderr)
	}
	for _, name := range []string{"include", "node", "listeners", "mqtt", "limits", "auth", "roles", "users", "log"} {
		if schema.Properties[name] == nil {
			t.Errorf("no section %s", name)
		}
	}
	mqtt := schema.Properties["mqtt"]["properties"].(map[string]any)
	if mqtt["max_qos"] == nil || mqtt["max_qoss"] != nil {
		t.Errorf("%v", mqtt)
	}
}

func TestC26_CheckOnlineMeasuresTheDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			_, _ = w.Write([]byte(`{"keys":[]}`))
			return
		}
		http.NotFound(w, r)
	}))
	defer service.Close()
	for keys, want := range map[string]string{"/keys": "", "/other": "auth.jwt.jwks: the answer is 404"} {
		file := writeConfig(t, dir, "entrepot.yaml", "node: {data: data}\nlisteners: ['mqtt://127.0.0.1:0']\nlimits: {connections: 10}\n"+
			"auth: {jwt: {jwks: '"+service.URL+keys+"'}, http: {url: '"+service.URL+"'}}\n")
		code, out, stderr := execute(t, "", "config", "check", "--online", file)
		if code != 0 || !strings.Contains(stderr, "a synced write to "+dir+" takes ") || !strings.Contains(stderr, want) || want == "" && strings.Contains(stderr, "jwks: ") {
			t.Errorf("exit %d: %s%s", code, out, stderr)
		}
	}
	code, out, _ := execute(t, "", "config", "check", filepath.Join(dir, "entrepot.yaml"), "-o", "json")
	if code != 0 || strings.Contains(out, "synced") {
		t.Errorf("exit %d: %s", code, out)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("a check has left %v, %v", files, err)
	}
}

func TestC21_CheckAsAnotherUser(t *testing.T) {
	t.Parallel()
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for path := dir; path != filepath.Dir(os.TempDir()) && path != "/"; path = filepath.Dir(path) {
		if path != os.TempDir() {
			if err := os.Chmod(path, 0o755); err != nil { //nolint:gosec // nobody is to reach it
				t.Fatal(err)
			}
		}
	}
	writeConfig(t, dir, "key", "planted")
	if err := os.Mkdir(filepath.Join(dir, "log"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "key"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := writeConfig(t, dir, "entrepot.yaml", "node: {data: data}\nlog: {file: log/x}\nlisteners: ['mqtt://127.0.0.1:0']\nlimits: {connections: 10}\nauth: {jwt: {secret: 'file:key'}}\n")
	if err := os.Chmod(file, 0o644); err != nil { //nolint:gosec // it holds nothing
		t.Fatal(err)
	}
	code, _, stderr := execute(t, "", "config", "check", "--as", nobody.Username, file)
	for _, want := range []string{"key could not be read by nobody: mode 0600", dir + " could not be written by the user of --as: mode 0755", "log.file: " + dir + "/log could not be written by the user of --as: mode 0700"} {
		if code != 3 || !strings.Contains(stderr, want) {
			t.Errorf("exit %d, want %s: %s", code, want, stderr)
		}
	}
	if strings.Contains(stderr, "planted") || strings.Contains(stderr, "entrepot.yaml could not") {
		t.Error(stderr)
	}
	if code, _, stderr = execute(t, "", "config", "check", "--as", "root", file); code != 0 {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if code, _, stderr = execute(t, "", "config", "check", "--as", "no-such-user", file); code != 3 || !strings.Contains(stderr, `there is no user "no-such-user"`) {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
