package gateway

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/auth/password"
	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/overload"
	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
)

// reloadable is a gateway of a file that a test changes.
type reloadable struct {
	*Gateway
	t    *testing.T
	file string
}

func openFile(t *testing.T, text string) *reloadable {
	t.Helper()
	return openWith(t, text, Options{})
}

func openLogged(t *testing.T, text string, log *slog.Logger) *reloadable {
	t.Helper()
	return openWith(t, text, Options{Log: log})
}

func openFileBy(t *testing.T, text string, m overload.Meter) *reloadable {
	t.Helper()
	return openWith(t, text, Options{Meter: m})
}

func openWith(t *testing.T, text string, o Options) *reloadable {
	t.Helper()
	r := &reloadable{t: t, file: filepath.Join(t.TempDir(), "entrepot.yaml")}
	r.write(text)
	c, sections, problems := r.read()
	if problems.Failed() {
		t.Fatal(problems)
	}
	var err error
	o.Config, o.Sections, o.Version, o.Read = c, sections, "1", r.read
	if r.Gateway, err = Open(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(running(t, r.Gateway))
	for !r.Started() {
		runtime.Gosched()
	}
	return r
}

func (r *reloadable) write(text string) {
	r.t.Helper()
	if err := os.WriteFile(r.file, []byte("node: {data: memory}\n"+text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *reloadable) read() (*config.Config, map[string]any, config.Problems) {
	in := config.Input{File: r.file, Set: []string{"limits.overload.cpu=false"}, Sections: Sections(), Protocols: Protocols()}
	c, problems := config.Read(in)
	return c, in.Sections, problems
}

// reload takes another text; want is part of the problems, empty for none.
func (r *reloadable) reload(text, want string) {
	r.t.Helper()
	r.write(text)
	problems := r.Reload(r.t.Context())
	if problems.Failed() != (want != "") || !strings.Contains(problems.Error(), want) {
		r.t.Errorf("want %q: %v", want, problems)
	}
}

func (r *reloadable) urls() (list []string) {
	for _, l := range r.Listening() {
		list = append(list, l.URL)
	}
	return list
}

// free is a port that nobody has.
func freeAddress(t *testing.T, network string) string {
	t.Helper()
	if network == "udp" {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.LocalAddr().String()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// stompClient is a connection that has logged in.
type stompClient struct {
	net.Conn
	in *bufio.Reader
	t  *testing.T
}

func dialStomp(t *testing.T, url string) *stompClient {
	t.Helper()
	nc, err := net.Dial("tcp", strings.TrimPrefix(url, "stomp://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	c := &stompClient{nc, bufio.NewReader(nc), t}
	if f := c.exchange("CONNECT\naccept-version:1.2\nhost:/\n\n\x00"); !strings.HasPrefix(f, "CONNECTED") {
		t.Fatal(f)
	}
	return c
}

func (c *stompClient) exchange(frame string) string {
	c.t.Helper()
	if _, err := c.Write([]byte(frame)); err != nil {
		c.t.Fatal(err)
	}
	return c.frame()
}

func (c *stompClient) frame() string {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	f, err := c.in.ReadString(0)
	if err != nil {
		c.t.Errorf("the connection has ended: %q %v", f, err)
	}
	return strings.TrimLeft(f, "\n")
}

// alive asks for a receipt.
func (c *stompClient) alive() {
	c.t.Helper()
	if f := c.exchange("SEND\ndestination:/topic/a\nreceipt:1\n\n\x00"); !strings.HasPrefix(f, "RECEIPT") {
		c.t.Errorf("%q", f)
	}
}

func TestReload_MH7_ListenersComeAndGoAndConnectionsStay(t *testing.T) {
	one, two, three := "stomp://"+freeAddress(t, "tcp"), "stomp://"+freeAddress(t, "tcp"), "stomp://"+freeAddress(t, "tcp")
	var log buffer
	r := openLogged(t, "listeners: ['"+one+"', '"+two+"']\n", slog.New(slog.NewTextHandler(&log, nil)))
	stays, drained := dialStomp(t, one), dialStomp(t, two)
	r.reload("listeners: ['"+three+"', '"+one+"']\n", "")
	if got := r.urls(); len(got) != 2 || got[0] != three || got[1] != one {
		t.Fatal(got)
	}
	if text := log.String(); strings.Count(text, "msg=listener.bound") != 1 || !strings.Contains(text, "msg=listener.bound protocol=stomp listener="+three+"\n") {
		t.Errorf("the log of the reload:\n%s", text)
	}
	stays.alive()
	drained.alive() // limits.drain is not over
	dialStomp(t, three).alive()
	dialStomp(t, one).alive()
	if stays.served(two) || !stays.served(three) {
		t.Error("a listener that has gone accepts, or a new one does not")
	}
	r.reload("listeners: ['"+two+"']\nlimits: {drain: 0}\n", "")
	if f := stays.frame(); !strings.HasPrefix(f, "ERROR") {
		t.Errorf("after limits.drain: %q", f)
	}
	drained.alive()
	dialStomp(t, two).alive()
}

// served tells whether the gateway of c answers at an address too; another one may have taken the port meanwhile, the test's
// of another package for example. What is sent there must come to c, then.
func (c *stompClient) served(url string) bool {
	c.t.Helper()
	nc, err := net.Dial("tcp", strings.TrimPrefix(url, "stomp://"))
	if err != nil {
		return false
	}
	defer nc.Close()
	topic := "/topic/served/" + rand.Text()
	if f := c.exchange("SUBSCRIBE\nid:served\ndestination:" + topic + "\nreceipt:2\n\n\x00"); !strings.HasPrefix(f, "RECEIPT") {
		c.t.Errorf("%q", f)
	}
	in := bufio.NewReader(nc)
	_ = nc.SetDeadline(time.Now().Add(2 * time.Second))
	_, _ = nc.Write([]byte("CONNECT\naccept-version:1.2\nhost:/\n\n\x00SEND\ndestination:" + topic + "\nreceipt:3\n\n\x00"))
	_, _ = in.ReadString(0) // CONNECTED
	_, _ = in.ReadString(0) // RECEIPT
	f := c.exchange("UNSUBSCRIBE\nid:served\nreceipt:4\n\n\x00")
	if ours := strings.HasPrefix(f, "MESSAGE"); ours {
		c.frame() // the receipt
		return true
	}
	return false
}

func TestSecurity_S14_AListenerThatAReloadOpensIsWarnedOf(t *testing.T) {
	var log buffer
	one, port := "stomp://"+freeAddress(t, "tcp"), freeAddress(t, "tcp")
	open := "stomp://0.0.0.0" + port[strings.LastIndexByte(port, ':'):]
	r := openLogged(t, "listeners: ['"+one+"']\n", slog.New(slog.NewTextHandler(&log, nil)))
	for range 2 { // the second opens nothing more
		r.reload("listeners: ['"+one+"', {url: '"+open+"', anonymous: true, insecure: true}]\n", "")
		if text := log.String(); strings.Count(text, "anybody who reaches this listener may use it") != 1 || !strings.Contains(text, "msg=config.warning listener="+open) {
			t.Errorf("the log:\n%s", text)
		}
	}
}

func TestReload_WhatCannotBeTakenChangesNothing(t *testing.T) {
	one, two := "stomp://"+freeAddress(t, "tcp"), "stomp://"+freeAddress(t, "tcp")
	good := "listeners: ['" + one + "']\n"
	r := openFile(t, good)
	c := dialStomp(t, one)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	before := r.now().config.Sum
	for text, want := range map[string]string{
		"listeners: [":                           "not valid YAML",
		"listeners: ['" + two + "']\nlogg: {}\n": `did you mean "log"?`,
		"listeners: ['" + two + "', 'stomp://" + taken.Addr().String() + "']\n": "address in use by",
		"listeners: ['" + two + "', 'http://" + taken.Addr().String() + "']\n":  "address in use by",
		"listeners: ['" + two + "']\nstore: {sync: never}\n":                    "store cannot change while the gateway runs",
		good + "auth: {file: nobody.yaml}\n":                                    "there is no such file",
		good + "users: [{name: a, role: [none], password: none}]\n":             "which does not exist",
		"include: nowhere.yaml\n":                                               "nowhere.yaml cannot be read",
	} {
		r.reload(text, want)
		if got := r.urls(); len(got) != 1 || got[0] != one || r.now().config.Sum != before {
			t.Errorf("%s: %v", text, got)
		}
		c.alive()
		dialStomp(t, one).alive()
	}
	if c.served(two) {
		t.Error("a listener of a refused configuration accepts")
	}
	r.reload("node: {name: x, data: other}\nstore: {sync: never}\n"+good, "key \"node\" is given twice")
	if err := os.WriteFile(r.file, []byte("node: {name: x, data: other}\nstore: {sync: never}\n"+good), 0o600); err != nil {
		t.Fatal(err)
	}
	problems := r.Reload(t.Context())
	for _, path := range []string{"node.name", "node.data", "store"} {
		if !strings.Contains(problems.Error(), path+" cannot change while the gateway runs") {
			t.Errorf("%s is not in %v", path, problems)
		}
	}
	if n := r.metrics.Counter("config_reloads_total", "rejected").Load(); n != 10 {
		t.Errorf("%d rejected", n)
	}
}

func TestReload_SettingsHoldForNewConnections(t *testing.T) {
	one, admin := "stomp://"+freeAddress(t, "tcp"), "http://"+freeAddress(t, "tcp")
	r := openFile(t, "listeners: ['"+one+"', '"+admin+"']\n")
	old := dialStomp(t, one)
	r.reload("listeners: [{url: '"+one+"', server_header: own}, '"+admin+"']\nadmin: {metrics: false}\nlimits: {subscriptions: 7}\nsys: {interval: 1s}\n", "")
	if f := stompConnect(t, strings.TrimPrefix(one, "stomp://")); !strings.Contains(f, "server:own") {
		t.Errorf("%q", f)
	}
	if code, _ := get(t, admin+"/metrics"); code != 404 {
		t.Errorf("metrics: %d", code)
	}
	old.alive()
	r.reload("listeners: ['"+one+"', '"+admin+"']\nstomp: {server_header: all}\n", "")
	if f := stompConnect(t, strings.TrimPrefix(one, "stomp://")); !strings.Contains(f, "server:all") {
		t.Errorf("%q", f)
	}
	if code, text := get(t, admin+"/metrics"); code != 200 || !strings.Contains(text, `entrepot_config_reloads_total{result="ok"} 2`) || !strings.Contains(text, `entrepot_config_info{sha256="`+r.now().config.Sum+`"} 1`) {
		t.Errorf("metrics: %d %s", code, text)
	}
	old.alive()
}

func TestReload_UsersAndRolesHoldAtOnce(t *testing.T) {
	one := "stomp://" + freeAddress(t, "tcp")
	r := openFile(t, "listeners: ['"+one+"']\n")
	dialStomp(t, one).alive()
	r.reload("listeners: ['"+one+"']\nroles: {r: [pub a]}\nusers: [{name: u, role: [r], password: none}]\n", "")
	if f := stompConnect(t, strings.TrimPrefix(one, "stomp://")); !strings.HasPrefix(f, "ERROR") {
		t.Errorf("anonymous is still let in: %q", f)
	}
}

func TestSecurity_E10_FilesOfAccessAreTakenWhenTheyChange(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hashed := func(name, secret string) string { return name + ":" + password.New([]byte(secret)).Text() + "\n" }
	write("pw", hashed("joe", "one"))
	write("acl", "user joe\ntopic a/#\n")
	write("users.yaml", "users: [{name: beacon, role: [r], password: none}]\n")
	write("clients.yaml", "- {client_id: x, from: [127.0.0.1], user: beacon}\n")
	files := dir + "/"
	r := openFile(t, "listeners: ['stomp://127.0.0.1:0', {url: 'mqttsn://127.0.0.1:0', clients: "+files+"clients.yaml}]\nroles: {r: [pub b]}\n"+
		"auth: {file: "+files+"users.yaml, mosquitto: {passwords: "+files+"pw, acl: "+files+"acl}}\n")
	stomp, sn := r.urls()[0], r.urls()[1]
	login := func(c adapters.Credentials) *core.Principal {
		c.Addr = "127.0.0.1:9"
		p, _ := r.access.Authenticate(t.Context(), c)
		return p
	}
	joe := func(secret string) *core.Principal {
		return login(adapters.Credentials{Protocol: "stomp", Listener: stomp, HasUser: true, User: "joe", Password: []byte(secret)})
	}
	device := func(id string) *core.Principal {
		return login(adapters.Credentials{Protocol: "mqttsn", Listener: sn, ClientID: id})
	}
	may := func(p *core.Principal, name string) bool {
		return p != nil && r.access.Authorize(p, core.ActionPublish, name)
	}
	if joe("one") == nil || joe("two") != nil || !may(joe("one"), "a/x") || may(joe("one"), "c") || !may(device("x"), "b") || device("y") != nil {
		t.Fatal("the first files")
	}
	policy := r.access.Policy()
	r.lookAtFiles()
	if r.access.Policy() != policy {
		t.Error("nothing has changed, and it was read again")
	}
	write("pw", hashed("joe", "two")+hashed("ann", "three"))
	r.lookAtFiles()
	if joe("one") != nil || joe("two") == nil {
		t.Error("passwords")
	}
	write("acl", "user joe\ntopic cc/#\n")
	r.lookAtFiles()
	if may(joe("two"), "a/x") || !may(joe("two"), "cc/x") {
		t.Error("acl")
	}
	write("users.yaml", "users: [{name: other, role: [r], password: none}, {name: beacon, password: none}]\n")
	write("clients.yaml", "- {client_id: yy, from: [127.0.0.1], user: other}\n")
	r.lookAtFiles()
	if device("x") != nil || !may(device("yy"), "b") {
		t.Error("users and clients")
	}
	good := map[string]string{"pw": hashed("joe", "two"), "acl": "user joe\ntopic cc/#\n", "users.yaml": "users: [{name: other, role: [r], password: none}]\n",
		"clients.yaml": "- {client_id: yy, from: [127.0.0.1], user: other}\n"}
	for name, text := range good {
		for _, bad := range []string{"", " \n\t\n", text[:len(text)-3], "\x00\xff", "gone"} {
			policy := r.access.Policy()
			write(name, bad)
			if bad == "gone" {
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			if name == "acl" && bad == text[:len(text)-3] {
				write(name, "user joe\ntopic cc/#\ntop") // any beginning of its last line is a filter of its own
			}
			r.lookAtFiles()
			if r.access.Policy() != policy || !may(joe("two"), "cc/x") || may(joe("two"), "a/x") || !may(device("yy"), "b") {
				t.Errorf("%s with %q was taken", name, bad)
			}
			write(name, text)
			r.lookAtFiles()
			if r.access.Policy() == policy {
				t.Errorf("%s is good again after %q, and was not taken", name, bad)
			}
		}
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	few := limit
	few.Cur = 3 // EMFILE
	write("pw", hashed("joe", "four"))
	rejected := r.metrics.Counter("config_reloads_total", "rejected").Load()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	r.lookAtFiles()
	r.lookAtFiles()
	problems := r.Reload(t.Context())
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if joe("two") == nil || joe("four") != nil || !problems.Failed() {
		t.Errorf("without descriptors: %v", problems)
	}
	if n := r.metrics.Counter("config_reloads_total", "rejected").Load() - rejected; n != 2 {
		t.Errorf("refused %d times", n)
	}
	r.lookAtFiles()
	if joe("two") != nil || joe("four") == nil {
		t.Error("what could be read again was not read")
	}
	text, err := os.ReadFile(r.file)
	if err != nil {
		t.Fatal(err)
	}
	for _, empty := range []string{"", "\n", "# nothing\n"} {
		if err := os.WriteFile(r.file, []byte(empty), 0o600); err != nil {
			t.Fatal(err)
		}
		if problems := r.Reload(t.Context()); !strings.Contains(problems.Error(), "the file holds nothing any more") || len(problems.Errors()) != 1 {
			t.Errorf("an empty file: %v", problems)
		}
	}
	r.reload(strings.TrimPrefix(string(text), "node: {data: memory}\n")+"stomp: {server_header: none}\n", "")
	r.reload(strings.TrimPrefix(string(text), "node: {data: memory}\n")+"roles: {}\n", "key \"roles\" is given twice")
}

func TestSecurity_E10_NoRolesAreNoRights(t *testing.T) {
	r := openFile(t, "listeners: ['stomp://127.0.0.1:0?anonymous=true']\nroles: {anonymous: [pubsub a]}\n")
	if !r.access.Authorize(core.Anonymous, core.ActionPublish, "a") {
		t.Error("the role does not hold")
	}
	for _, roles := range []string{"{anonymous: []}", "{other: [pub a]}", "{}", ""} {
		r.reload("listeners: ['stomp://127.0.0.1:0?anonymous=true']\nroles: "+roles+"\n", "")
		if r.access.Open() || r.access.Authorize(core.Anonymous, core.ActionPublish, "a") {
			t.Errorf("roles: %s are rights", roles)
		}
	}
}

func TestReload_APortMovesBetweenSchemesAndHosts(t *testing.T) {
	ca := tlstest.New(t, "a")
	leaf := ca.Issue("server")
	address := freeAddress(t, "tcp")
	_, port, _ := net.SplitHostPort(address)
	r := openFile(t, "listeners: ['stomp://"+address+"', 'mqttsn://"+freeAddress(t, "udp")+"']\n")
	before := dialStomp(t, "stomp://"+address)
	r.reload(fmt.Sprintf("listeners: [{url: 'stomps://%s', tls: {cert: %s, key: %s}}]\n", address, leaf.Cert, leaf.Key), "")
	before.alive()
	r.reload("listeners: [{url: 'stomp://0.0.0.0:"+port+"', anonymous: true, insecure: true}]\n", "")
	before.alive()
	dialStomp(t, "stomp://"+address).alive()
	r.reload("listeners: ['stomp://192.0.2.77:"+port+"?anonymous=true&insecure=true']\n", "cannot assign requested address")
	dialStomp(t, "stomp://"+address).alive()
}

func TestSecurity_R11_ReloadsAtOnceComeOneAfterTheOther(t *testing.T) {
	one := "stomp://" + freeAddress(t, "tcp")
	r := openFile(t, "listeners: ['"+one+"']\n")
	c := dialStomp(t, one)
	texts := []string{"listeners: ['" + one + "']\nlimits: {subscriptions: 5}\n", "listeners: [oops\n", "listeners: ['" + one + "', 'stomp://127.0.0.1:0']\n", "auth: {file: nobody.yaml}\n"}
	var running sync.WaitGroup
	for i := range 4 {
		running.Go(func() {
			for j := range 10 {
				next := fmt.Sprintf("%s.%d", r.file, i)
				if err := os.WriteFile(next, []byte("node: {data: memory}\n"+texts[(i+j)%len(texts)]), 0o600); err != nil {
					t.Error(err)
				}
				if err := os.Rename(next, r.file); err != nil {
					t.Error(err)
				}
				r.Reload(t.Context())
				r.lookAtFiles()
			}
		})
	}
	running.Wait()
	c.alive()
	r.reload(texts[0], "")
	if got := r.urls(); len(got) != 1 || got[0] != one || r.now().limits().Subscriptions.Session != 5 {
		t.Errorf("%v, %d", got, r.now().limits().Subscriptions.Session)
	}
	dialStomp(t, one).alive()
}

// [SECURITY R11]
func TestSecurity_R11_AStormOfReloadsLeavesTheLastGoodOne(t *testing.T) {
	one, two := "stomp://"+freeAddress(t, "tcp"), "stomp://"+freeAddress(t, "tcp")
	r := openFile(t, "listeners: ['"+one+"']\n")
	c := dialStomp(t, one)
	count := func() (goroutines, files int) {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return runtime.NumGoroutine(), len(list)
	}
	r.reload("listeners: ['"+one+"', '"+two+"']\n", "")
	r.reload("listeners: ['"+one+"']\n", "")
	goroutines, files := count()
	ctx, cancel := context.WithCancel(t.Context())
	gap := make(chan error, 1)
	go func() { // no listener gap
		for ctx.Err() == nil {
			nc, err := net.Dial("tcp", strings.TrimPrefix(one, "stomp://"))
			if err != nil {
				gap <- err
				return
			}
			nc.Close()
		}
		gap <- nil
	}()
	for i := range 100 {
		switch i % 4 {
		case 0:
			r.reload("listeners: ['"+one+"', '"+two+"']\n", "")
		case 2:
			r.reload(fmt.Sprintf("listeners: ['%s']\nlimits: {subscriptions: %d}\namqp: {heartbeat: %ds}\n", one, i+1, i+10), "")
		default:
			r.reload("listeners: [oops\n", "not valid YAML")
		}
	}
	cancel()
	if err := <-gap; err != nil {
		t.Errorf("a connection was refused: %v", err)
	}
	c.alive()
	if got := r.urls(); len(got) != 1 || r.now().limits().Subscriptions.Session != 99 {
		t.Errorf("%v %d", got, r.now().limits().Subscriptions.Session)
	}
	deadline := time.Now().Add(10 * time.Second)
	for g, f := count(); g > goroutines+2 || f > files+2; g, f = count() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines and %d files, there were %d and %d", g, f, goroutines, files)
		}
		runtime.Gosched()
	}
}
