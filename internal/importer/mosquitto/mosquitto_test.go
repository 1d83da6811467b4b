package mosquitto

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/entrepot/entrepot/internal/auth/password"
)

// imported is the import of a text, with DIR in it for the folder that it is in.
func imported(t testing.TB, dir, text string, o Options) (*Result, string) {
	t.Helper()
	file := filepath.Join(dir, "mosquitto.conf")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Import(file, o)
	if err != nil {
		t.Fatal(err)
	}
	var report strings.Builder
	for _, l := range r.Lines {
		report.WriteString(l.String() + "\n")
	}
	return r, strings.ReplaceAll(report.String(), dir, "DIR")
}

func TestEachLineIsReported(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"max_inflight_messages 20":                       "ok",
		"max_inflight_messages x":                        "not translated: it is no number",
		"max_keepalive 99999":                            "changed: 99999 is not between 1 and 65535, so it is 65535",
		"max_queued_messages 0":                          "changed: a full queue drops its oldest message",
		"message_size_limit 1000000":                     "ok",
		"persistent_client_expiration 2w":                "ok",
		"persistent_client_expiration 99y":               "not translated: it is not between",
		"persistent_client_expiration w":                 "not translated: it is not between",
		"autosave_interval 1800":                         "ok: not needed",
		"persistence_location /var/lib/mosquitto/":       "changed: the store is in /var/lib/mosquitto/entrepot",
		"log_dest syslog":                                "not translated: there is no such destination",
		"log_type all":                                   "changed: the log has levels",
		"connection_messages yes":                        "not translated: it is neither true nor false",
		"sys_interval 30":                                "ok",
		"connection plant":                               "not translated: bridges come with the bridge engine",
		"topic # both 1":                                 "not translated: bridges come with the bridge engine",
		"bridge_cafile /x":                               "not translated: bridges come with the bridge engine",
		"remote_password hunter2":                        "remote_password ***: not translated: bridges",
		"plugin /usr/lib/x.so":                           "not translated: there are no plugins",
		"plugin_opt_key hunter2":                         "plugin_opt_key ***: not translated: it belongs to a plugin",
		"psk_file /x":                                    "not translated: pre-shared keys are for DTLS",
		"include_dir DIR/none":                           "not translated: the folder cannot be read",
		"upgrade_outgoing_qos false":                     "ok",
		"upgrade_outgoing_qos true":                      "not translated: a message is delivered",
		"nonsense 1":                                     "not translated: mosquitto.conf(5) does not know it",
		"listener":                                       "not translated: it has no value",
		"listener 70000":                                 "not translated: the port is not between",
		"listener 1884 /tmp/s":                           "not translated: the path of a Unix socket goes with port 0",
		"password_file DIR/none":                         "not translated: it cannot be read: no such file",
		"acl_file DIR/none":                              "not translated: it cannot be read: no such file",
		"port 1883\ncertfile DIR/c":                      "not translated: certfile and keyfile come together",
		"listener 8883\nrequire_certificate true":        "not translated: certificates are asked for, and there is no certfile",
		"max_connections 10":                             "ok",
		"listener 1\nmaximum_qos 1":                      "2: maximum_qos 1: ok",
		"listener 1\nmax_connections 10\nlistener 2":     "not translated: limits.connections counts all listeners, and another one",
		"listener 1\nprotocol websockets":                "changed: the path is /mqtt",
		"port 1883\nallow_anonymous true":                "changed: insecure: true says beside it",
		"plugin /x\nlistener 1883\nallow_anonymous true": "changed: false, since the plugin",
	} {
		r, report := imported(t, t.TempDir(), line+"\n", Options{})
		if !strings.Contains(report, ": "+want) && !strings.Contains(report, want) || len(r.Lines) < strings.Count(line, "\n")+1 {
			t.Errorf("%s\n%s\twant %s", line, report, want)
		}
		if strings.Contains(report+string(r.YAML), "hunter2") {
			t.Errorf("%s: the secret is shown: %s", line, report)
		}
		if r.Complete() == strings.Contains(report, "not translated") {
			t.Errorf("%s: complete %v", line, r.Complete())
		}
	}
}

func TestSecurity_S7_WhatIsLostNeverOpensAListener(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"listener 1883\npsk_hint x\nallow_anonymous true\n", "listener 1883\nmount_point x/\nallow_anonymous true\n", "listener 1883\nprotocol http_api\nallow_anonymous true\n",
		"listener 8883\ncertfile DIR/c\nallow_anonymous true\n", "listener 8883\nuse_identity_as_username true\nallow_anonymous true\n",
		"plugin /usr/lib/x.so\nlistener 1883\nallow_anonymous true\n", "listener 1883\n", "listener 1883\npassword_file DIR/none\n",
	} {
		r, report := imported(t, t.TempDir(), text, Options{})
		if y := string(r.YAML); strings.Contains(y, "anonymous: true") || strings.Contains(y, "insecure") || !strings.Contains(y, "nobody") {
			t.Errorf("%s\n%s%s", text, report, y)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pw"), []byte("joe:"+password.New([]byte("x")).Text()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, report := imported(t, dir, "listener 1883\npassword_file DIR/pw\nacl_file DIR/none\n", Options{})
	if y := string(r.YAML); !strings.Contains(y, `"user:joe": []`) || !strings.Contains(y, "everybody: []") && !strings.Contains(y, `"everybody": []`) {
		t.Errorf("an acl_file that cannot be read allows something:\n%s%s", report, y)
	}
}

func TestFilesInPlaceOrConverted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := password.New([]byte("x")).Text()
	for name, text := range map[string]string{"pw": "joe:" + h + "\n", "bad": "joe:" + h + "\nno colon\n", "acl": "topic read public/#\nuser joe\ntopic a/$$x/${y\npattern write c/%c\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const conf = "listener 1883 127.0.0.1\npassword_file DIR/%\nacl_file DIR/acl\n"
	_, report := imported(t, dir, strings.ReplaceAll(conf, "%", "bad"), Options{})
	if !strings.Contains(report, "DIR/bad:2: password_file: not translated: there is no colon") || !strings.Contains(report, "it becomes roles, since the files cannot be used in place") {
		t.Errorf("%s", report)
	}
	// The braces of the topic have no rule of ours, so that the files are converted, without that line.
	r, report := imported(t, dir, strings.ReplaceAll(conf, "%", "pw"), Options{})
	if y := string(r.YAML); strings.Contains(y, "mosquitto:\n") || !strings.Contains(report, "DIR/acl:3: acl_file: not translated") || !strings.Contains(report, "only the client's word") {
		t.Errorf("%s%s", report, y)
	}
	if err := os.WriteFile(filepath.Join(dir, "acl"), []byte("user joe\ntopic a/$$x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, report = imported(t, dir, strings.ReplaceAll(conf, "%", "pw"), Options{})
	if y := string(r.YAML); !strings.Contains(y, "  mosquitto:\n    passwords: ") || strings.Contains(y, h) || !r.Complete() {
		t.Errorf("%s%s", report, y)
	}
	r, report = imported(t, dir, strings.ReplaceAll(conf, "%", "pw"), Options{Convert: true})
	if y := string(r.YAML); strings.Contains(y, "mosquitto:\n") || !strings.Contains(y, h) || !strings.Contains(y, "pubsub a/$$$$x") || !r.Complete() {
		t.Errorf("%s%s", report, y)
	}
}

// mosquitto takes each certificate of the authority; here each is somebody, whether the files name others or not.
func TestNamesOfCertificatesHaveToBeUsers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"pw": "joe:" + password.New([]byte("x")).Text() + "\n", "acl": "user joe\ntopic a\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const conf = "listener 8883\ncafile DIR/ca\ncertfile DIR/c\nkeyfile DIR/k\nrequire_certificate true\nuse_identity_as_username true\n"
	for _, files := range []string{"", "password_file DIR/pw\n", "password_file DIR/pw\nacl_file DIR/acl\n"} {
		if _, report := imported(t, dir, conf+files, Options{}); !strings.Contains(report, ":1: listener 8883: changed: each name of a certificate has to be a user") {
			t.Errorf("%s%s", files, report)
		}
	}
}

// What one line says of several listeners is told once.
func TestAReasonIsToldOnce(t *testing.T) {
	t.Parallel()
	_, report := imported(t, t.TempDir(), "allow_anonymous true\nlistener 1883\nlistener 1884\nplugin /x\n", Options{})
	if strings.Count(report, "the plugin does not look") != 1 {
		t.Error(report)
	}
}

func TestIncludedFilesCountWhereTheyAreNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	conf := filepath.Join(dir, "conf.d")
	if err := os.Mkdir(conf, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"b.conf": "sys_interval 2\n", "a.conf": "sys_interval 1\ninclude_dir " + conf + "\n", "c.txt": "sys_interval 3\n"} {
		if err := os.WriteFile(filepath.Join(conf, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, report := imported(t, dir, "include_dir DIR/conf.d\n", Options{})
	if !strings.Contains(string(r.YAML), "interval: 2s") || !strings.Contains(report, "within one another") {
		t.Errorf("%s%s", report, r.YAML)
	}
}

func FuzzImport(f *testing.F) {
	for _, s := range []string{"listener 1883\nallow_anonymous true\n", "listener 0 /tmp/x\nport 1\nmax_qos 1\n", "persistent_client_expiration 2w\npassword_file \x00${x}\n", "per_listener_settings true\nlistener 1 ::1\nuse_identity_as_username true\ncafile a\ncertfile b\nkeyfile c\n"} {
		f.Add(s)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "include_dir") || strings.Contains(text, "_file") || len(text) > 4096 {
			return // other files are not part of the input
		}
		r, _ := imported(t, dir, text, Options{})
		var v map[string]any
		if err := yaml.Unmarshal(r.YAML, &v); err != nil {
			t.Fatalf("%v\n%s", err, r.YAML)
		}
	})
}
