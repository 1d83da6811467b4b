package interop

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/dial"
)

// mosquittoFiles are what the configurations below name.
var mosquittoFiles = map[string]string{
	"acl": `# comment
topic read public/#
topic free/+/y

user joe
topic write a/#
topic read a/x
topic readwrite both/#
topic deny both/secret
user ann
topic #
topic deny a/y

pattern readwrite home/%u/#
pattern write c/%c
`,
	"nothing.acl":   "# nobody may do anything\n",
	"more/1.conf":   "password_file DIR/pw\n",
	"more/2.conf":   "acl_file DIR/acl\n",
	"more/3.backup": "allow_anonymous true\n",
}

var mosquittoConfigurations = map[string]string{
	"open":              "listener PORT 127.0.0.1\nallow_anonymous true\n",
	"passwords":         "listener PORT 127.0.0.1\npassword_file DIR/pw\n",
	"anonymous too":     "listener PORT 127.0.0.1\nallow_anonymous true\npassword_file DIR/pw\n",
	"rules":             "listener PORT 127.0.0.1\npassword_file DIR/pw\nacl_file DIR/acl\n",
	"rules for all":     "allow_anonymous true\npassword_file DIR/pw\nacl_file DIR/acl\nlistener PORT 127.0.0.1\n",
	"no rights":         "listener PORT 127.0.0.1\nallow_anonymous true\npassword_file DIR/pw\nacl_file DIR/nothing.acl\n",
	"rules alone":       "listener PORT 127.0.0.1\nallow_anonymous true\nacl_file DIR/acl\n",
	"default listener":  "port PORT\nbind_address 127.0.0.1\npassword_file DIR/pw\nallow_anonymous false\n",
	"each listener":     "per_listener_settings true\nlistener PORT 127.0.0.1\nallow_anonymous false\npassword_file DIR/pw\nacl_file DIR/acl\n",
	"included":          "listener PORT 127.0.0.1\ninclude_dir DIR/more\n",
	"Debian with users": "pid_file DIR/pid\npersistence true\npersistence_location DIR/\nautosave_interval 600\nlog_dest stderr\nlog_type error\nlistener PORT 127.0.0.1\nallow_anonymous false\npassword_file DIR/pw\nmax_connections -1\nmax_inflight_messages 20\nmax_queued_messages 1000\nmax_keepalive 600\nmessage_size_limit 100000\nset_tcp_nodelay true\n",
	"closed":            "listener PORT 127.0.0.1\n",
}

// differs are the clients and topics of which a right is another on purpose: of somebody without a login, an identifier is
// nobody's, so that %c matches nothing. SECURITY U8
func differs(client, topic string) bool { return client == "" && strings.HasPrefix(topic, "c/") }

// A broker's answers to some clients.
type answers struct {
	logins    map[string]bool
	publishes map[string]bool // by client and topic
	received  map[string]bool // by reader, writer and topic
}

// TestMosquittosUsersHaveTheSameRightsHere asks Debian's mosquitto and the gateway that its configuration becomes.
func TestMosquittosUsersHaveTheSameRightsHere(t *testing.T) {
	for name, text := range mosquittoConfigurations {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put := func(name, text string) string {
				t.Helper()
				file := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600); err != nil {
					t.Fatal(err)
				}
				return file
			}
			for name, text := range mosquittoFiles {
				put(name, text)
			}
			passwords := put("pw", "")
			for user, secret := range map[string]string{"joe": "one", "ann": "two"} {
				if out, err := exec.Command("mosquitto_passwd", "-b", passwords, user, secret).CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			}
			port := startPlainMosquitto(t, func(port string) string {
				return put("mosquitto.conf", "user root\nlog_type all\n"+strings.ReplaceAll(text, "PORT", port))
			})
			logins := mosquittoLogins
			if !strings.Contains(text, "password_file") && !strings.Contains(text, "include_dir") && strings.Contains(text, "acl_file") {
				logins = logins[:1] // mosquitto believes every name there; here a name that nobody has proved has no rights
			}
			theirs := ask(t, "mqtt://127.0.0.1:"+port, logins, nil)
			for _, flags := range [][]string{nil, {"--convert"}} {
				args := append([]string{"config", "import", "mosquitto", filepath.Join(dir, "mosquitto.conf")}, flags...)
				code, out, report := run(t, binary(t), "", args...)
				if lines := strings.Count(report, "\n"); code != 0 || lines < strings.Count(text, "\n") {
					t.Fatalf("%v: exit %d: %s", flags, code, report)
				}
				file := put("entrepot.yaml", out)
				set := []string{"--set", "listeners[0].url=mqtt://127.0.0.1:0", "--set", "node.data=memory"}
				if code, out, text := run(t, binary(t), "", append([]string{"config", "check", file}, set...)...); code != 0 {
					t.Fatalf("%v: the result does not pass: %s%s", flags, out, text)
				}
				g := launch(t, binary(t), append([]string{"serve", "--config", file, "--log-format", "json", "--log-level", "info"}, set...))
				ours := ask(t, g.url("mqtt", ""), logins, theirs.received)
				g.stop(t)
				compare(t, flags, "login", theirs.logins, ours.logins)
				compare(t, flags, "publish", theirs.publishes, ours.publishes)
				compare(t, flags, "receive", theirs.received, ours.received)
			}
		})
	}
}

func compare(t *testing.T, flags []string, what string, theirs, ours map[string]bool) {
	t.Helper()
	all := maps.Clone(theirs)
	maps.Copy(all, ours)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if theirs[key] != ours[key] {
			t.Errorf("%v: %s %s: mosquitto %v, here %v", flags, what, key, theirs[key], ours[key])
		}
	}
}

// startPlainMosquitto runs mosquitto with the configuration that conf writes.
func startPlainMosquitto(t *testing.T, conf func(port string) string) (port string) {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ = net.SplitHostPort(free.Addr().String())
	free.Close()
	cmd := exec.Command(mosquittoServer(), "-c", conf(port))
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v; make setup installs it", err)
	}
	running, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if strings.HasSuffix(lines.Text(), " running") {
				close(running)
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		<-ended
		_ = cmd.Wait()
	})
	select {
	case <-running:
	case <-ended:
		t.Fatal("mosquitto ended")
	case <-time.After(20 * time.Second):
		t.Fatal("mosquitto does not run")
	}
	return port
}

type mosquittoLogin struct{ id, user, secret string }

var mosquittoLogins = []mosquittoLogin{{"id-", "", ""}, {"id-joe", "joe", "one"}, {"id-ann", "ann", "two"}, {"id-1", "joe", "two"}, {"id-2", "nobody", "x"}, {"id-3", "joe", ""}}

var rightTopics = []string{"a/x", "a/y", "public/x", "free/x/y", "free/x", "both/x", "both/secret", "home/joe/x", "home/ann/x", "home/joe", "c/id-joe", "c/id-ann", "c/id-", "other"}

// ask lets clients log in, publish and read everything. Until what is wanted has come it waits; nil: for what comes.
func ask(t *testing.T, url string, logins []mosquittoLogin, want map[string]bool) answers {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	at, err := config.ParseAddress(url)
	if err != nil {
		t.Fatal(err)
	}
	a := answers{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	var mu sync.Mutex // of a.received
	come := make(chan struct{}, 1)
	conns := map[string]dial.Conn{}
	for _, login := range logins {
		c, err := dial.Dial(ctx, dial.Options{Address: at, ClientID: login.id, User: login.user, Password: []byte(login.secret), OnMessage: func(m dial.Message) {
			if writer := string(m.Payload); !differs(login.user, m.Topic) && !differs(writer, m.Topic) {
				mu.Lock()
				a.received[fmt.Sprintf("%q of %q on %s", login.user, writer, m.Topic)] = true
				mu.Unlock()
				select {
				case come <- struct{}{}:
				default:
				}
			}
		}})
		if kind := dial.KindOf(err); err != nil && kind != dial.Login {
			t.Fatalf("%q: %v", login.user, err)
		}
		a.logins[fmt.Sprintf("%q with %q", login.user, login.secret)] = err == nil
		if err != nil {
			continue
		}
		defer c.Close(context.Background()) //nolint:errcheck // the answers are there
		if conns[login.user] == nil {
			conns[login.user] = c
		}
	}
	for _, c := range conns {
		_, err := c.Subscribe(ctx, "#", 0)
		if kind := dial.KindOf(err); err != nil && kind != dial.Denied { // mosquitto grants it, and sends nothing
			t.Fatal(err)
		}
	}
	for user, c := range conns {
		for _, topic := range rightTopics {
			if differs(user, topic) {
				continue
			}
			err := dial.Send(ctx, c, dial.Message{Topic: topic, QoS: 1, Payload: []byte(user)})
			if kind := dial.KindOf(err); err != nil && kind != dial.Denied {
				t.Fatalf("%q to %s: %v", user, topic, err)
			}
			a.publishes[fmt.Sprintf("%q to %s", user, topic)] = err == nil
		}
	}
	missing := func() bool {
		mu.Lock()
		defer mu.Unlock()
		for key := range want {
			if !a.received[key] {
				return true
			}
		}
		return false
	}
	for late := time.After(5 * time.Second); missing(); {
		select {
		case <-come:
			continue
		case <-late:
		}
		break
	}
	for _, c := range conns { // what comes behind the answer to the first has come before that to the second
		for _, filter := range []string{"public/+", "public/#"} {
			if _, err := c.Subscribe(ctx, filter, 0); err != nil && dial.KindOf(err) != dial.Denied && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	a.received = maps.Clone(a.received)
	return a
}
