package interop

import (
	"bufio"
	"context"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
)

const (
	deviceKey   = "sixteen letters." // as coap-client takes it, not hexadecimal
	devicesYAML = `node: {data: memory}
listeners:
  - mqtt://127.0.0.1:0
  - {url: "coaps://127.0.0.1:0", psk: devices.psk, tls: {cert: server.crt, key: server.key, client_ca: clients.pem, client_auth: optional}}
  - {url: "mqttsns://127.0.0.1:0", psk: devices.psk}
`
)

// startDevices is a gateway for devices that speak DTLS.
func startDevices(t *testing.T) (*process, *tlstest.Authority) {
	t.Helper()
	ca := tlstest.New(t, "clients")
	ca.Issue("server")
	for name, text := range map[string]string{
		"devices.psk": "# one device\nurn:dev:1:" + hex.EncodeToString([]byte(deviceKey)) + "\n", "devices.yaml": devicesYAML,
	} {
		if err := os.WriteFile(filepath.Join(ca.Dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := launchWith(t, binary(t), []string{"serve", "--config", filepath.Join(ca.Dir, "devices.yaml"), "--log-format", "json"}, nil)
	t.Cleanup(func() { p.stop(t) })
	return p, ca
}

// engines are the programs of libcoap with different DTLS engines.
var engines = []string{"coap-client-openssl", "coap-client-gnutls"}

func TestSecurity_U16_LibcoapByKeyAndByCertificate(t *testing.T) {
	t.Parallel()
	p, ca := startDevices(t)
	leaf := ca.Issue("sensor")
	url := "coaps://localhost:" + p.port["coaps"] + "/ps/dtls/"
	for _, client := range engines {
		for how, flags := range map[string][]string{
			"key":         {"-u", "urn:dev:1", "-k", deviceKey},
			"certificate": {"-c", leaf.Cert, "-j", leaf.Key, "-C", ca.File},
		} {
			topic := url + client + "/" + how
			for _, c := range []struct{ want, args string }{{"", "-m put -e kept"}, {"kept", "-m get"}} {
				args := append(append(append([]string{"-B", "15"}, flags...), strings.Fields(c.args)...), topic)
				if code, text := output(t, "", client, args...); code != 0 || strings.TrimSpace(text) != c.want {
					t.Errorf("%s by %s, %s: exit %d, %q", client, how, c.args, code, text)
				}
			}
		}
		args := []string{"-B", "3", "-u", "urn:dev:1", "-k", "another key", url + client + "/key"}
		if _, text := output(t, "", client, args...); strings.Contains(text, "kept") {
			t.Errorf("%s with a wrong key: %q", client, text)
		}
	}
}

func TestSecurity_U16_LibcoapObservesByDTLS(t *testing.T) {
	t.Parallel()
	p, ca := startDevices(t)
	keys := []string{"--psk-file", filepath.Join(ca.Dir, "devices.psk")}
	for n, client := range engines {
		topic := "watch/" + client
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		cmd := exec.CommandContext(ctx, client, "-B", "60", "-s", "60", "-u", "urn:dev:1", "-k", deviceKey, "-w",
			"coaps://127.0.0.1:"+p.port["coaps"]+"/ps/"+topic)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatalf("%v; make setup installs it", err)
		}
		lines := bufio.NewScanner(out)
		publish := append([]string{"pub", "-q", "1", "-r"}, keys...)
		if code, text := output(t, "", binary(t), append(publish, "mqttsns://127.0.0.1:"+p.port["mqttsns"], topic, "seen")...); code != 0 {
			t.Fatalf("pub: exit %d, %s", code, text)
		}
		found := false
		for !found && lines.Scan() {
			found = strings.Contains(lines.Text(), "seen")
		}
		if !found {
			t.Errorf("%d: %s saw nothing", n, client)
		}
		cmd.Process.Kill()
		cmd.Wait() // it was killed
		cancel()
	}
}
