package interop

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"net/url"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startMosquitto is a peer of mosquitto_sub and mosquitto_pub.
func startMosquitto(t *testing.T) mqttPeer {
	p := &localPeer{links: map[string]mqttLink{}, to: map[string]func(mqttAnswer){}, library: newMosquittoLink}
	t.Cleanup(func() {
		for name := range p.links {
			p.kill(name)
		}
	})
	return p
}

// mosquittoLink is a client: mosquitto_sub runs from the first subscription on, mosquitto_pub for each publish.
type mosquittoLink struct {
	opened mqttRequest
	say    func(mqttAnswer)

	mu      sync.Mutex
	cmd     *exec.Cmd
	granted chan []int
	code    int
	leaving bool
	ended   chan struct{}
}

func newMosquittoLink(r *mqttRequest, say func(mqttAnswer)) (mqttLink, mqttAnswer) {
	return &mosquittoLink{opened: *r, say: say}, mqttAnswer{}
}

// base are the options of both programs.
func (l *mosquittoLink) base() []string {
	u, err := url.Parse(l.opened.URL)
	if err != nil {
		panic(err) // the test wrote it
	}
	return []string{"-d", "-V", map[int]string{3: "mqttv31", 4: "mqttv311", 5: "mqttv5"}[l.opened.Version], "-h", u.Hostname(), "-p", u.Port()}
}

func (l *mosquittoLink) do(r *mqttRequest) (a mqttAnswer) {
	var err error
	switch r.Op {
	case "publish":
		for _, payload := range payloads(r) {
			if a.Code, err = l.publish(r, payload); err != nil {
				break
			}
		}
	case "subscribe":
		a.Codes, err = l.subscribe(r)
	case "disconnect":
		l.end(syscall.SIGTERM)
	case "kill":
		l.end(syscall.SIGKILL)
	default:
		err = fmt.Errorf("mosquitto's programs cannot %s", r.Op)
	}
	if err != nil {
		a.Error = err.Error()
	}
	return a
}

func (l *mosquittoLink) end(s syscall.Signal) {
	l.mu.Lock()
	cmd := l.cmd
	l.leaving = true
	l.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Signal(s) // it may have ended
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	<-l.ended
}

var pubAck = regexp.MustCompile(`received (?:PUBACK|PUBREC) \(Mid: \d+, RC:(\d+)\)`)

func (l *mosquittoLink) publish(r *mqttRequest, payload []byte) (int, error) {
	args := append(l.base(), "-t", r.Topic, "-q", strconv.Itoa(r.QoS))
	if r.Retain {
		args = append(args, "-r")
	}
	if len(payload) == 0 {
		args = append(args, "-n")
	} else {
		args = append(args, "-s")
	}
	property := func(name string, values ...string) { args = append(append(args, "-D", "publish", name), values...) }
	if r.ContentType != "" {
		property("content-type", r.ContentType)
	}
	if r.Response != "" {
		property("response-topic", r.Response)
	}
	if r.Correlation != "" {
		data, _ := hex.DecodeString(r.Correlation)
		property("correlation-data", string(data))
	}
	if r.Expires > 0 {
		property("message-expiry-interval", strconv.Itoa(r.Expires))
	}
	for _, u := range r.User {
		property("user-property", u[0], u[1])
	}
	cmd := exec.Command("mosquitto_pub", args...)
	cmd.Stdin = bytes.NewReader(payload)
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	text, err := cmd.CombinedOutput()
	if m := pubAck.FindSubmatch(text); m != nil {
		code, _ := strconv.Atoi(string(m[1]))
		return code, nil
	}
	if err != nil {
		return 0, fmt.Errorf("mosquitto_pub: %w: %.2000s", err, text)
	}
	return 0, nil
}

// unit separates the fields of a line; the topic comes last.
const unit = "\x1f"

func (l *mosquittoLink) subscribe(r *mqttRequest) ([]int, error) {
	o := &l.opened
	args := append(l.base(), "-q", strconv.Itoa(r.QoS), "-k", strconv.Itoa(o.KeepAlive), "-F", "M"+strings.Join([]string{"", "%x", "%q", "%r", "%C", "%D", "%E", "%R", "%S", "%P", "%t"}, unit))
	if o.ID != "" {
		args = append(args, "-i", o.ID)
	}
	if !o.Clean {
		args = append(args, "-c")
	}
	if o.Version == 5 {
		args = append(args, "-x", strconv.Itoa(o.Expiry))
	}
	if o.ReceiveMaximum > 0 {
		args = append(args, "-D", "connect", "receive-maximum", strconv.Itoa(o.ReceiveMaximum))
	}
	if w := o.Will; w != nil {
		payload, _ := hex.DecodeString(w.Payload)
		args = append(args, "--will-topic", w.Topic, "--will-payload", string(payload), "--will-qos", strconv.Itoa(w.QoS))
		if w.Retain {
			args = append(args, "--will-retain")
		}
		if w.Delay > 0 {
			args = append(args, "-D", "will", "will-delay-interval", strconv.Itoa(w.Delay))
		}
	}
	if r.NoLocal {
		args = append(args, "-D", "subscribe", "no-local")
	}
	if r.RetainAsPublished {
		args = append(args, "--retain-as-published")
	}
	if h := r.RetainHandling; h > 0 {
		args = append(args, "--retain-handling", []string{"always", "new", "never"}[h])
	}
	if r.Identifier > 0 {
		args = append(args, "-D", "subscribe", "subscription-identifier", strconv.Itoa(r.Identifier))
	}
	for _, f := range r.Filters {
		args = append(args, "-t", f)
	}
	cmd := exec.Command("stdbuf", append([]string{"-oL", "mosquitto_sub"}, args...)...) // else what -d says waits in a buffer
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	granted := make(chan []int, 1)
	l.mu.Lock()
	if l.cmd != nil {
		l.mu.Unlock()
		_ = cmd.Process.Kill()
		return nil, fmt.Errorf("mosquitto_sub subscribes once")
	}
	l.cmd, l.granted, l.ended = cmd, granted, make(chan struct{})
	l.mu.Unlock()
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 16<<20)
	go l.read(lines)
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case codes := <-granted:
		return codes, nil
	case <-l.ended:
		select {
		case codes := <-granted:
			return codes, nil
		default:
			return nil, fmt.Errorf("mosquitto_sub ended")
		}
	case <-late.C:
		return nil, fmt.Errorf("mosquitto_sub has not subscribed")
	}
}

// read follows what mosquitto_sub prints.
func (l *mosquittoLink) read(lines *bufio.Scanner) {
	once := sync.Once{}
	connected := false
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "M"+unit):
			l.say(mosquittoMessage(strings.SplitN(line, unit, 11)))
		case strings.HasPrefix(line, "Subscribed (mid: "):
			_, list, _ := strings.Cut(line, "): ")
			var codes []int
			for _, one := range strings.Split(list, ", ") {
				n, _ := strconv.Atoi(one)
				codes = append(codes, n)
			}
			once.Do(func() { l.granted <- codes })
		case strings.HasSuffix(line, "received CONNACK (0)"):
			if connected {
				l.say(mqttAnswer{Event: "up"})
			}
			connected = true
		case strings.Contains(line, "received DISCONNECT"):
			if m := regexp.MustCompile(`\((\d+)\)`).FindStringSubmatch(line); m != nil {
				l.code, _ = strconv.Atoi(m[1])
			}
		}
	}
	_ = l.cmd.Wait() // killed, or the connection has ended
	l.mu.Lock()
	leaving := l.leaving
	l.mu.Unlock()
	close(l.ended)
	if !leaving {
		l.say(mqttAnswer{Event: "lost", Code: l.code})
	}
}

func mosquittoMessage(f []string) mqttAnswer {
	a := mqttAnswer{Event: "message"}
	number := func(s string) int {
		n, _ := strconv.Atoi(s) // empty: absent
		return n
	}
	a.Payload, a.QoS, a.Retain = f[1], number(f[2]), f[3] == "1"
	a.ContentType, a.Correlation, a.Expires, a.Response = f[4], hex.EncodeToString([]byte(f[5])), number(f[6]), f[7]
	for _, id := range strings.FieldsFunc(f[8], func(r rune) bool { return r == ' ' || r == ',' }) {
		a.Identifiers = append(a.Identifiers, number(id))
	}
	for _, pair := range strings.Fields(f[9]) {
		name, value, _ := strings.Cut(pair, ":")
		a.User = append(a.User, [2]string{name, value})
	}
	a.Topic = f[10]
	return a
}
