package interop

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
)

// secured is configs/secure.yaml on free ports, with certificates of its own.
type secured struct {
	*process
	ca      *tlstest.Authority
	client  tlstest.Leaf
	revoked tlstest.Leaf
	socket  string
}

func startSecured(t *testing.T) *secured {
	t.Helper()
	ca := tlstest.New(t, "clients")
	ca.Issue("server")
	s := &secured{ca: ca, client: ca.Issue("device"), revoked: ca.Issue("stolen"), socket: filepath.Join(ca.Dir, "s")}
	ca.Revoke("revoked.pem", time.Hour, s.revoked)
	text, err := os.ReadFile("../../configs/secure.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(ca.Dir, "secure.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"SOCKET=" + s.socket}
	for _, name := range []string{"MQTTS_PORT", "WSS_PORT", "STOMPS_PORT", "AMQPS_PORT", "PROXY_PORT", "HTTP_PORT"} {
		env = append(env, name+"=0")
	}
	s.process = launchWith(t, binary(t), []string{"serve", "--config", file, "--log-format", "json"}, env)
	t.Cleanup(func() { s.stop(t) })
	return s
}

// trust are the flags of the binary's and of mosquitto's clients alike.
func (s *secured) trust(l tlstest.Leaf) []string {
	return []string{"--cafile", s.ca.File, "--cert", l.Cert, "--key", l.Key}
}

// output runs a program that is there, or fails the test.
func output(t *testing.T, stdin, name string, args ...string) (code int, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v; make setup installs it", err)
	}
	_ = cmd.Wait() // the exit code tells
	return cmd.ProcessState.ExitCode(), out.String()
}

func TestMH2_MosquittoShowsItsCertificate(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	port := []string{"-h", "localhost", "-p", s.port["mqtts"]}
	for _, version := range []string{"tlsv1.2", "tlsv1.3"} {
		args := append(append([]string{"--tls-version", version, "-t", "secure/" + version, "-q", "1"}, port...), s.trust(s.client)...)
		if code, text := output(t, "", "mosquitto_pub", append(args, "-m", "kept", "-r")...); code != 0 {
			t.Errorf("%s: exit %d, %s", version, code, text)
		}
		if code, text := output(t, "", "mosquitto_sub", append(args, "-C", "1", "-W", "20")...); code != 0 || strings.TrimSpace(text) != "kept" {
			t.Errorf("%s: exit %d, %q", version, code, text)
		}
	}
	for name, trust := range map[string][]string{"none": {"--cafile", s.ca.File}, "revoked": s.trust(s.revoked)} {
		args := append(append([]string{"-t", "a", "-m", "x", "-q", "1"}, port...), trust...)
		if code, text := output(t, "", "mosquitto_pub", args...); code == 0 {
			t.Errorf("certificate %s: accepted, %s", name, text)
		}
		args = append([]string{"pub", s.url("mqtts", ""), "a", "x"}, trust...)
		if code, _, text := run(t, s.binary, "", args...); code != 4 || !strings.Contains(text, "the server refused TLS: tls: ") {
			t.Errorf("certificate %s: exit %d, %s", name, code, text)
		}
	}
}

func TestMH2_OpenSSLNegotiates(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	for _, c := range []struct {
		name, scheme string
		args         []string
		want         string
	}{
		{"ALPN mqtt", "mqtts", []string{"-alpn", "mqtt"}, "ALPN protocol: mqtt"},
		{"no ALPN", "mqtts", nil, "No ALPN negotiated"},
		{"another ALPN", "mqtts", []string{"-alpn", "h2"}, "alert no application protocol"},
		{"1.2", "mqtts", []string{"-tls1_2"}, "Protocol  : TLSv1.2"},
		{"1.3", "mqtts", []string{"-tls1_3"}, "TLSv1.3"},
		{"1.1", "mqtts", []string{"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"}, "alert protocol version"},
		{"1.2 where 1.3 is the least", "wss", []string{"-tls1_2"}, "alert protocol version"},
		{"no compression", "stomps", []string{"-tls1_2", "-comp"}, "Compression: NONE"},
	} {
		args := append([]string{"s_client", "-connect", "127.0.0.1:" + s.port[c.scheme], "-CAfile", s.ca.File, "-cert", s.client.Cert, "-key", s.client.Key}, c.args...)
		if _, text := output(t, "", "openssl", args...); !strings.Contains(text, c.want) {
			t.Errorf("%s: no %q in\n%s", c.name, c.want, text)
		}
	}
}

// SECURITY A5b: an R at the start of the input asks OpenSSL for a renegotiation.
func TestAttack_A5b_RenegotiationEndsTheConnection(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	_, text := output(t, "R\n", "openssl", "s_client", "-tls1_2", "-connect", "127.0.0.1:"+s.port["stomps"], "-CAfile", s.ca.File)
	if !strings.Contains(text, "RENEGOTIATING") || !strings.Contains(text, "alert unexpected message") {
		t.Errorf("%s", text)
	}
}

func TestMH3_TheBrowsersLibraryOverTLS(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	const program = `
const c = require('mqtt').connect(process.argv[1], {ca: require('fs').readFileSync(process.argv[2]), protocolVersion: 5, reconnectPeriod: 0});
c.on('error', e => { console.log('error ' + e.message); process.exit(1); });
c.on('connect', () => c.subscribe('wss/#', {qos: 1}, () => c.publish('wss/a', 'x'.repeat(100000), {qos: 1})));
c.on('message', (topic, payload) => { console.log(topic + ' ' + payload.length); c.end(); });`
	cmd := exec.Command("node", "-e", program, "wss://localhost:"+s.port["wss"]+"/mqtt", s.ca.File)
	cmd.Dir = "node"
	text, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(text)) != "wss/a 100000" {
		t.Errorf("%v: %s", err, text)
	}
}

func TestX_TheBinarysClientsSpeakTLS(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	trust := s.trust(s.client)
	for _, url := range []string{s.url("mqtts", ""), s.url("wss", ""), s.url("wss", "/stomp"), s.url("stomps", ""), s.url("amqps", ""), "mqtt+unix://" + s.socket} {
		flags := trust
		if strings.HasPrefix(url, "mqtt+unix") {
			flags = nil
		}
		topic := "tls/" + strings.NewReplacer(":", "", "/", "-", "+", "").Replace(url)
		if code, _, text := run(t, s.binary, "", append([]string{"pub", url, topic, "hi", "-q", "1", "-r"}, flags...)...); code != 0 {
			t.Errorf("%s: exit %d, %s", url, code, text)
		}
		if code, out, text := run(t, s.binary, "", append([]string{"sub", url, topic, "-C", "1", "-W", "20"}, flags...)...); code != 0 || out != "hi\n" {
			t.Errorf("%s: exit %d, %q, %s", url, code, out, text)
		}
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{s.url("stomps", ""), "a", "x"}, 4, "comes from an authority that is not trusted here"},
		{[]string{s.url("stomps", ""), "a", "x", "--insecure"}, 0, ""},
		{[]string{strings.Replace(s.url("stomps", ""), "127.0.0.1", "127.0.0.2", 1), "a", "x", "--cafile", s.ca.File}, 4, ""},
		{[]string{"mqtts://127.0.0.1:" + s.port["http"], "a", "x", "--insecure"}, 4, "the server does not speak TLS there"},
		{[]string{s.url("stomps", ""), "a", "x", "--cafile", "/nowhere"}, 3, "/nowhere cannot be read: there is no such file"},
		{[]string{s.url("stomps", ""), "a", "x", "--cert", s.client.Cert}, 2, "--cert and --key come together"},
		{[]string{"mqtt://127.0.0.1", "a", "x", "--insecure"}, 2, "mqtt:// has none"},
	} {
		if code, _, text := run(t, s.binary, "", append([]string{"pub"}, c.args...)...); code != c.code || !strings.Contains(text, c.want) {
			t.Errorf("%v: exit %d, %s", c.args, code, text)
		}
	}
}
