package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/internal/access"
	"github.com/entrepot/entrepot/internal/auth/password"
	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/gateway"
	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
)

// TestWhatIsImportedLoads loads the configurations that mosquitto's become, with the files that they name.
func TestWhatIsImportedLoads(t *testing.T) {
	t.Parallel()
	ca := tlstest.New(t, "ca")
	server := ca.Issue("server")
	ca.Revoke("crl.pem", 1e12)
	put(t, ca.Dir, "pw", "joe:"+password.New([]byte("secret")).Text()+"\nann+:x\n")
	put(t, ca.Dir, "good", "joe:"+password.New([]byte("secret")).Text()+"\n")
	put(t, ca.Dir, "acl", "topic read $SYS/#\nuser joe\ntopic write dev/joe/#\nuser dev7\ntopic a b/#\npattern readwrite c/%c/#\n")
	conf := put(t, ca.Dir, "mosquitto.conf", "")
	tls := "certfile " + server.Cert + "\nkeyfile " + server.Key + "\n"
	for name, c := range map[string]struct {
		code int
		text string
	}{
		"nothing":    {0, "# only a comment\n"},
		"Debian":     {0, "pid_file /run/mosquitto/mosquitto.pid\n\npersistence true\npersistence_location /var/lib/mosquitto/\n\nlog_dest file /var/log/mosquitto/mosquitto.log\n\ninclude_dir DIR/none.d\n"},
		"closed":     {0, "listener 1883\n"},
		"open":       {0, "listener 1883\nallow_anonymous true\n"},
		"passwords":  {0, "listener 1883\npassword_file DIR/good\n"},
		"both":       {0, "listener 1883\nallow_anonymous true\npassword_file DIR/good\n"},
		"rules":      {0, "listener 1883\nallow_anonymous false\npassword_file DIR/good\nacl_file DIR/acl\n"},
		"bad lines":  {1, "listener 1883 ::1\nallow_anonymous true\npassword_file DIR/pw\nacl_file DIR/acl\n"},
		"rules only": {0, "listener 1883 127.0.0.1\nallow_anonymous true\nacl_file DIR/acl\n"},
		"TLS":        {0, "listener 8883\ncafile " + ca.File + "\n" + tls + "tls_version tlsv1.2\nallow_anonymous true\n"},
		"identities": {0, "listener 8883\ncafile " + ca.File + "\n" + tls + "crlfile DIR/crl.pem\nrequire_certificate true\nuse_identity_as_username true\nacl_file DIR/acl\n"},
		"WebSocket":  {0, "listener 9001\nprotocol websockets\n" + tls + "websockets_origin https://app.example.org\nlistener 0 DIR/sock\nallow_anonymous true\n"},
		"own users":  {0, "per_listener_settings true\nlistener 1883 localhost\nallow_anonymous true\nlistener 1884\npassword_file DIR/good\nmax_qos 1\n"},
		"two files":  {1, "per_listener_settings true\nlistener 1883\npassword_file DIR/good\nlistener 1884\npassword_file DIR/pw\n"},
		"bridge":     {1, "listener 1883\npassword_file DIR/good\nconnection plant\naddress other:1883\ntopic # both 1\n"},
		"keys":       {0, "port 1883\nmax_inflight_messages 0\nmax_queued_messages 5000\nmax_queued_bytes 1000000\nmessage_size_limit 0\nmax_packet_size 100000\nmax_keepalive 600\npersistent_client_expiration 3m\nsys_interval 0\nmax_connections 500\nmax_qos 1\nretain_available false\nqueue_qos0_messages true\nallow_zero_length_clientid false\nmax_topic_alias 10\nlog_type warning\nlog_type error\nconnection_messages false\npersistence false\nallow_anonymous true\n"},
		"psk":        {1, "listener 8883\npsk_hint x\npsk_file DIR/psk\nallow_anonymous true\n"},
	} {
		if err := os.MkdirAll(filepath.Join(ca.Dir, "none.d"), 0o700); err != nil {
			t.Fatal(err)
		}
		put(t, ca.Dir, "mosquitto.conf", strings.ReplaceAll(c.text, "DIR", ca.Dir))
		for _, flags := range [][]string{nil, {"--convert"}} {
			code, out, report := execute(t, "", append([]string{"config", "import", "mosquitto", conf}, flags...)...)
			if code != c.code {
				t.Errorf("%s: exit %d, want %d\n%s", name, code, c.code, report)
			}
			sections := gateway.Sections()
			loaded := put(t, ca.Dir, "entrepot.yaml", out)
			if _, err := config.Load(config.Input{File: loaded, Sections: sections, Protocols: gateway.Protocols()}); err != nil {
				t.Errorf("%s %v: %v\n%s", name, flags, err, out)
				continue
			}
			if _, problems := access.Read(access.Options{Sections: sections}); problems.Failed() {
				t.Errorf("%s %v: %v\n%s", name, flags, problems, out)
			}
			if len(c.text) > 30 && !strings.Contains(report, ":1: ") && !strings.Contains(report, ":2: ") {
				t.Errorf("%s: %s", name, report)
			}
		}
	}
}

func TestWhatImportRefuses(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"config is followed by":             {"config"},
		"config import is followed by":      {"config", "import"},
		"unknown command":                   {"config", "import", "nginx", "x"},
		"accepts 1 arg":                     {"config", "import", "mosquitto"},
		"/no/such/file cannot be read: no ": {"config", "import", "mosquitto", "/no/such/file"},
	} {
		if code, out, text := execute(t, "", args...); code == 0 || out != "" || !strings.Contains(text, want) {
			t.Errorf("%v: exit %d, %q, %s", args, code, out, text)
		}
	}
}
