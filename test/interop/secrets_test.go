package interop

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// marked begins every secret of the hunt.
const marked = "m4rkedS3cret"

// [SECURITY R12] [SECURITY S10]
func TestSecurity_R12_NoSecretIsShown(t *testing.T) {
	e := place(t, "entrepot.yaml", `
node: {data: data}
log: {level: debug, format: json}
listeners:
  - {url: "mqtt://127.0.0.1:0"}
  - {url: "stomp://127.0.0.1:0"}
  - {url: "amqp://127.0.0.1:0"}
  - {url: "ws://127.0.0.1:0"}
  - {url: "coaps://127.0.0.1:0", psk: devices.psk}
  - {url: "http://127.0.0.1:0"}
roles: {r: ["pubsub #"]}
auth:
  order: [file, jwt, http]
  file: users.yaml
  jwt: {secret: "env:JWT_SECRET"}
  http: {url: "http://asker:`+marked+`-url@127.0.0.1:1/login", hmac: "file:hmac", timeout: 1s}
`)
	secrets := map[string]string{} // by what it is
	secret := func(what string) string {
		secrets[what] = marked + "-" + what
		return secrets[what]
	}
	e.put(t, "hmac", secret("hmac")+"\n")
	e.put(t, "devices.psk", fmt.Sprintf("dev1:%x\n", marked+"-psk"))
	e.put(t, "users.yaml", "users: []\n")
	word := e.put(t, "word", secret("login")+"\n")
	if code, _, text := run(t, binary(t), "", "user", "add", "joe", "--file", filepath.Join(e.dir, "users.yaml"), "--role", "r", "--password-file", word); code != 0 {
		t.Fatal(text)
	}
	t.Setenv("JWT_SECRET", secret("jwt"))
	var seen bytes.Buffer // everything that the commands and the admin listener say
	tool := func(args ...string) string {
		code, out, text := run(t, binary(t), "", args...)
		fmt.Fprintf(&seen, "%s: %d\n%s%s", args[0], code, out, text)
		return out + text
	}

	cmd := exec.Command(binary(t), "serve", "--config", e.file)
	cmd.Stdout = os.Stderr
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for s := bufio.NewReader(stderr); ; {
			line, err := s.ReadString('\n')
			lines <- line
			if err != nil {
				return
			}
		}
	}()
	var log strings.Builder // of the gateway
	said := func(what string) {
		t.Helper()
		late := time.After(30 * time.Second)
		for {
			select {
			case line, ok := <-lines:
				log.WriteString(line)
				if !ok || what != "" && strings.Contains(line, what) {
					return
				}
			case <-late:
				t.Fatalf("the log does not say %s: %s", what, log.String())
			}
		}
	}
	said(`"msg":"ready"`)
	port := map[string]string{}
	for _, line := range strings.Split(log.String(), "\n") {
		if _, rest, ok := strings.Cut(line, `"listener":"`); ok && strings.Contains(line, "listener.bound") {
			url, _, _ := strings.Cut(rest, `"`)
			scheme, _, _ := strings.Cut(url, "://")
			port[scheme] = url[strings.LastIndexByte(url, ':')+1:]
		}
	}

	wrong := e.put(t, "wrong", secret("wrong")+"\n")
	key := e.put(t, "key", fmt.Sprintf("%x\n", marked+"-psk"))
	for scheme, path := range map[string]string{"mqtt": "", "stomp": "", "amqp": "", "ws": "/mqtt"} {
		for _, file := range []string{word, wrong} {
			if out := tool("pub", scheme+"://127.0.0.1:"+port[scheme]+path, "a", "x", "--user", "joe", "--password-file", file); (file == word) != (out == "") {
				t.Errorf("%s: %s", scheme, out)
			}
		}
		tool("pub", scheme+"://"+secret("user-"+scheme)+":"+secret("inurl-"+scheme)+"@127.0.0.1:"+port[scheme]+path, "a", "x") // its name is no secret
		delete(secrets, "user-"+scheme)
	}
	tool("pub", "coaps://127.0.0.1:"+port["coaps"], "a", "x", "--psk-identity", "dev1", "--psk-file", key)
	for _, url := range []string{"mqtt://u:%s@127.0.0.1:99999", "mqtt://u:%s@[::1", "mqtt://u:%s/x@127.0.0.1", "nothing://u:%s@h", "http://u:%s@127.0.0.1", "mqtt://u:%s@127.0.0.1:1", "mqtt://u:%s@127.0.0.1/path"} {
		tool("pub", fmt.Sprintf(url, secret("badurl")), "a", "x")
	}
	token := secret("token")
	admin := "http://127.0.0.1:" + port["http"]
	for _, path := range []string{"/metrics", "/readyz?verbose", "/healthz", "/", "/api/v1/status", "/api/v1/config", "/api/v1/users", "/nothing?token=" + token, "/api/v1/openapi.json", "/debug/pprof/goroutine?debug=2", "/debug/pprof/cmdline"} {
		for _, login := range []func(*http.Request){func(*http.Request) {}, func(r *http.Request) { r.SetBasicAuth("joe", secrets["login"]) }, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, admin+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			login(req)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if err := resp.Write(&seen); err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
		}
	}

	if err := cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	said(`"msg":"goroutines"`)
	good, err := os.ReadFile(e.file)
	if err != nil {
		t.Fatal(err)
	}
	literal := secret("literal")
	for _, bad := range []string{"auth: {jwt: {secret: " + literal + "}, nonsense: 1}\n", "auth:\n  jwt:\n    secret: |\n      " + literal + "\n    usr: x\n", "auth: {http: {url: 'ftp://u:" + literal + "@h'}}\n",
		"users: [{name: a, password: " + literal + "}]\n", "users: [{name: a, pasword: x, password: '" + literal + "'}]\n", "listeners: ['mqtt://u:" + literal + "@127.0.0.1:0x']\n",
		"auth: {jwt: {jwks: 'https://u:" + literal + "@h/x', secret: '" + literal + "'}}\n", "auth: {jwt: {secret: ['" + literal + "']}}\n"} {
		file := e.put(t, "bad.yaml", bad)
		for _, args := range [][]string{{"config", "check", file}, {"config", "check", file, "-o", "json"}, {"config", "show", file}, {"serve", "--config", file, "--data", "memory"}, {"acl", "explain", "--config", file, "pub", "a"}} {
			tool(args...)
		}
		e.put(t, "entrepot.yaml", bad)
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		said("config.rejected")
	}
	e.put(t, "entrepot.yaml", string(good))
	for _, args := range [][]string{{"config", "check", e.file, "--online"}, {"config", "check", e.file, "-o", "json"}, {"config", "show", e.file}, {"config", "show", "--sources", e.file}, {"config", "show", "--schema", e.file},
		{"config", "show", e.file, "--diff", e.put(t, "other.yaml", "auth: {jwt: {secret: "+literal+"}}\n")}, {"config", "show", "--set", "auth.jwt.secret=" + literal, e.file}, {"config", "show", "--sources", "--set", "auth.jwt.secret=" + literal},
		{"config", "check", "--set", "auth.jwt.secrett=" + literal}, {"user", "list", "--config", e.file}, {"user", "list", "-o", "json", "--config", e.file}, {"acl", "explain", "--config", e.file, "--user", "joe", "--all"}} {
		tool(args...)
	}
	for _, variable := range []string{"ENTREPOT_AUTH__JWT__SECRET", "ENTREPOT_AUTH__JWT__SECRETT"} {
		t.Setenv(variable, secret("environment"))
		tool("config", "check", e.file)
		tool("config", "show", "--sources", e.file)
		if err := os.Unsetenv(variable); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	said("") // to the end
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, log.String())
	}

	find := func(where string, text []byte) {
		for _, s := range []string{marked, fmt.Sprintf("%x", marked), "bTRya2VkUzNjcmV0"} {
			for rest := text; ; {
				i := bytes.Index(rest, []byte(s))
				if i < 0 {
					break
				}
				t.Errorf("%s: ...%s...", where, rest[max(0, i-200):min(len(rest), i+60)])
				rest = rest[i+len(s):]
			}
		}
	}
	if seen.Len() < 10_000 {
		t.Fatalf("there is little to look at: %s", seen.String())
	}
	// User names are shown, and those of the URLs are marked too.
	find("output", bytes.ReplaceAll(seen.Bytes(), []byte(marked+"-user-"), nil))
	if log.Len() < 1000 {
		t.Fatalf("there is little to look at: %s", log.String())
	}
	find("log", []byte(strings.ReplaceAll(log.String(), marked+"-user-", "")))
	err = filepath.WalkDir(filepath.Join(e.dir, "data"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		find(path, text)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
