package interop

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/dial"
)

// example is a file of configs/ that runs on free ports, with the files that it needs beside it.
type example struct {
	*process
	dir, file string
}

// place copies an example, or writes a text, into a folder of the test.
func place(t *testing.T, name, text string) *example {
	t.Helper()
	if text == "" {
		b, err := os.ReadFile("../../configs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	}
	e := &example{dir: t.TempDir()}
	e.file = filepath.Join(e.dir, name)
	e.put(t, name, text)
	return e
}

func (e *example) put(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(e.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// add adds users as the example's comment says, with the password NAME-secret, and the file of it beside.
func (e *example) add(t *testing.T, name, role string) {
	t.Helper()
	secret := e.put(t, name, name+"-secret\n")
	if code, out, text := run(t, binary(t), "", "user", "add", name, "--config", e.file, "--role", role, "--password-file", secret); code != 0 || out != "" {
		t.Fatalf("user add %s: exit %d, %s%s", name, code, out, text)
	}
}

func (e *example) start(t *testing.T, env ...string) {
	t.Helper()
	for _, name := range []string{"MQTT_PORT", "WS_PORT", "STOMP_PORT", "AMQP_PORT", "COAP_PORT", "MQTTSN_PORT", "HTTP_PORT"} {
		env = append(env, name+"=0")
	}
	e.process = launchWith(t, binary(t), []string{"serve", "--config", e.file, "--data", "memory", "--log-format", "json"}, env)
	t.Cleanup(func() { e.stop(t) })
}

// reader subscribes by MQTT; the function it returns waits for so many messages and gives their topics.
func (e *example) reader(t *testing.T, user, filter string) func(n int) []string {
	t.Helper()
	a, err := config.ParseAddress(e.url("mqtt", ""))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	got := make(chan string, 100)
	c, err := dial.Dial(ctx, dial.Options{Address: a, User: user, Password: []byte(user + "-secret"), OnMessage: func(m dial.Message) { got <- m.Topic }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	if _, err := c.Subscribe(ctx, filter, 1); err != nil {
		t.Fatal(err)
	}
	return func(n int) (topics []string) {
		for range n {
			select {
			case topic := <-got:
				topics = append(topics, topic)
			case <-ctx.Done():
				t.Errorf("%d of %d messages came: %v", len(topics), n, topics)
				return topics
			}
		}
		slices.Sort(topics)
		return topics
	}
}

// TestTheExampleOfMixedDevices logs one user in by five protocols.
func TestTheExampleOfMixedDevices(t *testing.T) {
	t.Parallel()
	e := place(t, "mixed-devices.yaml", "")
	e.add(t, "pump1", "device")
	e.add(t, "plant", "operator")
	e.start(t)
	topics := e.reader(t, "plant", "dev/#")
	login := []string{"--user", "pump1", "--password-file", filepath.Join(e.dir, "pump1")}
	wrong := []string{"--user", "pump1", "--password-file", filepath.Join(e.dir, "plant")}
	var want []string
	for _, scheme := range []string{"mqtt", "ws", "stomp", "amqp", "coap"} {
		url := e.url(scheme, "")
		for _, c := range []struct {
			code  int
			topic string
			flags []string
		}{{0, "dev/pump1/" + scheme, login}, {6, "dev/pump2/" + scheme, login}, {6, "cmd/pump1/" + scheme, login}, {5, "dev/pump1/" + scheme, wrong}, {5, "dev/pump1/" + scheme, nil}} {
			code, _, text := run(t, e.binary, "", append([]string{"pub", url, c.topic, "7", "-q", "1"}, c.flags...)...)
			if code != c.code {
				t.Errorf("%s: pub %s %v: exit %d, want %d: %s", scheme, c.topic, c.flags, code, c.code, text)
			}
		}
		want = append(want, "dev/pump1/"+scheme)
	}
	slices.Sort(want)
	if got := topics(len(want)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for code, question := range map[int]string{0: "pub dev/pump1/t", 6: "sub cmd/pump2/#"} {
		args := append([]string{"acl", "explain", "--config", e.file, "--user", "pump1"}, strings.Fields(question)...)
		if got, out, text := run(t, e.binary, "", args...); got != code {
			t.Errorf("explain %s: exit %d, %s%s", question, got, out, text)
		}
	}
}

// TestTheExampleOfASensorNetwork publishes from sensors that do not log in, to an application that does.
func TestTheExampleOfASensorNetwork(t *testing.T) {
	t.Parallel()
	e := place(t, "sensor-network.yaml", "")
	e.add(t, "app", "application")
	e.start(t)
	topics := e.reader(t, "app", "sensors/#")
	var want []string
	for _, scheme := range []string{"mqttsn", "coap"} {
		// CoAP says Unauthorized or Forbidden to somebody anonymous, which is exit 5 or 6.
		for topic, allowed := range map[string]bool{"sensors/" + scheme: true, "notice/" + scheme: false} {
			if got, _, text := run(t, e.binary, "", "pub", e.url(scheme, ""), topic, "21", "-q", "1"); allowed != (got == 0) || !allowed && got != 5 && got != 6 {
				t.Errorf("%s: pub %s: exit %d: %s", scheme, topic, got, text)
			}
		}
		if code, _, text := run(t, e.binary, "", "sub", e.url(scheme, ""), "sensors/#", "-W", "5"); code != 5 && code != 6 {
			t.Errorf("%s: a sensor reads others: exit %d, %s", scheme, code, text)
		}
		want = append(want, "sensors/"+scheme)
	}
	slices.Sort(want)
	if got := topics(len(want)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, scheme := range []string{"mqtt", "amqp"} {
		if code, _, text := run(t, e.binary, "", "pub", e.url(scheme, ""), "sensors/x", "1", "-q", "1"); code != 5 {
			t.Errorf("%s without a login: exit %d, %s", scheme, code, text)
		}
	}
}

const mosquittoRights = "topic read public/#\nuser joe\ntopic write dev/joe/#\ntopic read #\npattern readwrite own/%u/#\n"

// mosquittoFiles makes the files of a mosquitto installation with its own program.
func (e *example) mosquittoFiles(t *testing.T) (passwords, rights string) {
	t.Helper()
	passwords, rights = filepath.Join(e.dir, "passwd"), e.put(t, "aclfile", mosquittoRights)
	if code, text := output(t, "", "mosquitto_passwd", "-c", "-b", passwords, "joe", "joe-secret"); code != 0 {
		t.Fatalf("mosquitto_passwd: exit %d, %s", code, text)
	}
	return passwords, rights
}

// tryMosquitto logs in with mosquitto's clients, at a gateway that has mosquitto's rights.
func (e *example) tryMosquitto(t *testing.T) {
	t.Helper()
	topics := e.reader(t, "joe", "#")
	for _, c := range []struct {
		user, password, topic string
		ok                    bool
	}{
		{"joe", "joe-secret", "dev/joe/a", true}, {"joe", "joe-secret", "own/joe/b", true}, {"joe", "joe-secret", "dev/ann/c", false},
		{"joe", "wrong", "dev/joe/d", false}, {"ann", "joe-secret", "dev/joe/e", false}, {"", "", "dev/joe/f", false},
	} {
		args := []string{"-V", "5", "-h", "127.0.0.1", "-p", e.port["mqtt"], "-t", c.topic, "-m", "x", "-q", "1"}
		if c.user != "" {
			args = append(args, "-u", c.user, "-P", c.password)
		}
		code, text := output(t, "", "mosquitto_pub", args...)
		if refused := code != 0 || strings.Contains(text, "Not authorized"); refused == c.ok {
			t.Errorf("%+v: exit %d, %s", c, code, text)
		}
	}
	if got := topics(2); fmt.Sprint(got) != "[dev/joe/a own/joe/b]" {
		t.Errorf("delivered: %v", got)
	}
}

func TestTheExampleInPlaceOfMosquitto(t *testing.T) {
	t.Parallel()
	e := place(t, "mosquitto.yaml", "")
	passwords, rights := e.mosquittoFiles(t)
	e.start(t, "PASSWORD_FILE="+passwords, "ACL_FILE="+rights)
	e.tryMosquitto(t)
}

// TestAnImportedMosquittoIsServed imports an installation, in place and converted, and logs in.
func TestAnImportedMosquittoIsServed(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{nil, {"--convert"}} {
		e := place(t, "mosquitto.conf", "per_listener_settings false\nlistener 1883 127.0.0.1\nallow_anonymous false\nmax_inflight_messages 20\n")
		passwords, rights := e.mosquittoFiles(t)
		conf := e.put(t, "mosquitto.conf", "listener 1883 127.0.0.1\nallow_anonymous false\npassword_file "+passwords+"\nacl_file "+rights+"\nmax_inflight_messages 20\n")
		code, yaml, report := run(t, binary(t), "", append([]string{"config", "import", "mosquitto", conf}, flags...)...)
		if code != 0 || strings.Count(report, ": ok") < 4 {
			t.Fatalf("%v: exit %d, %s", flags, code, report)
		}
		e.file = e.put(t, "entrepot.yaml", strings.Replace(yaml, "127.0.0.1:1883", "127.0.0.1:0", 1))
		e.start(t)
		e.tryMosquitto(t)
	}
}
