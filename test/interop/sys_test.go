package interop

import (
	"bufio"
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestY_MosquittoReadsTheStateOfARealGateway reads $SYS as people do, and what becomes of another client meanwhile.
func TestY_MosquittoReadsTheStateOfARealGateway(t *testing.T) {
	t.Parallel()
	p := launch(t, binary(t), []string{"serve", "--data", filepath.Join(t.TempDir(), "data"), "--log-format", "json", "--listen", "mqtt://127.0.0.1:0",
		"--listen", "stomp://127.0.0.1:0", "--set", "sys.interval=1s", "--set", "sys.events=true", "--set", "node.name=here"})
	t.Cleanup(func() { p.stop(t) })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "mosquitto_sub", "-p", p.port["mqtt"], "-i", "reader", "-t", "$SYS/#", "-v")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	want := map[string]*regexp.Regexp{
		"broker/version":                             regexp.MustCompile(`^entrepot version .`),
		"broker/uptime":                              regexp.MustCompile(`^[1-9]\d* seconds$`),
		"broker/clients/connected":                   regexp.MustCompile(`^1$`),
		"broker/publish/messages/received":           regexp.MustCompile(`^1$`),
		"broker/publish/bytes/received":              regexp.MustCompile(`^5$`),
		"broker/load/publish/received/1min":          regexp.MustCompile(`^\d+\.\d\d$`),
		"broker/mqtt/connect/received":               regexp.MustCompile(`^2$`),
		"broker/entrepot/mqtt/bytes/received":        regexp.MustCompile(`^[1-9]\d+$`),
		"broker/entrepot/stomp/clients/connected":    regexp.MustCompile(`^0$`),
		"broker/retained messages/count":             regexp.MustCompile(`^1\d\d$`),
		"broker/shared_subscriptions/count":          regexp.MustCompile(`^0$`),
		"brokers/here/clients/other/connected":       regexp.MustCompile(`^\{"clientid":"other","username":"anonymous","protocol":"mqtt","ipaddress":"127.0.0.1",`),
		"brokers/here/clients/other/disconnected":    regexp.MustCompile(`"reason":"normal"`),
		"brokers/here/clients/reader/subscribed":     regexp.MustCompile(`"topic":"\$SYS/#"`),
		"broker/publish/messages/dropped":            regexp.MustCompile(`^0$`),
		"broker/entrepot/mqtt/publish/bytes/sent":    regexp.MustCompile(`^[1-9]\d*$`),
		"broker/connections/socket/count":            regexp.MustCompile(`^1$`),
		"broker/load/connections/15min":              regexp.MustCompile(`^\d+\.\d\d$`),
		"broker/subscriptions/count":                 regexp.MustCompile(`^1$`),
		"broker/mqtt/pingresp/sent":                  regexp.MustCompile(`^0$`),
		"broker/store/messages/count":                regexp.MustCompile(`^0$`),
		"broker/heap/current size":                   regexp.MustCompile(`^[1-9]\d+$`),
		"broker/entrepot/mqtt/publish/messages/sent": regexp.MustCompile(`^[1-9]\d*$`),
	}
	begun := false
	lines := bufio.NewScanner(out)
	for len(want) > 0 && lines.Scan() {
		name, value := split(lines.Text())
		if form := want[name]; form != nil && form.MatchString(value) {
			delete(want, name)
		}
		if !begun { // the reader has subscribed
			begun = true
			if text, err := exec.CommandContext(ctx, "mosquitto_pub", "-p", p.port["mqtt"], "-i", "other", "-t", "a", "-m", "hello").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
		}
	}
	for name, form := range want {
		t.Errorf("$SYS/%s never was %s", name, form)
	}
	_ = cmd.Process.Kill()
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait() // it was killed
}

// split takes a line of mosquitto_sub -v apart: topics of $SYS may hold a space, in two places.
func split(line string) (name, value string) {
	line = strings.TrimPrefix(line, "$SYS/")
	for _, spaced := range []string{"broker/retained messages/count", "broker/heap/current size", "broker/heap/maximum size"} {
		if value, ok := strings.CutPrefix(line, spaced+" "); ok {
			return spaced, value
		}
	}
	name, value, _ = strings.Cut(line, " ")
	return name, value
}
