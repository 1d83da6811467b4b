package interop

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience bounds every wait for something that must happen, on a busy machine too.
const patience = 60 * time.Second

// An mqttPeer runs clients of one library.
type mqttPeer interface {
	// ask makes one request and waits for its answer.
	ask(r mqttRequest) (mqttAnswer, error)
	// listen names who gets the events of a client.
	listen(client string, to func(mqttAnswer))
	// kill ends the process of the clients, or of the one client, without a farewell.
	kill(client string)
}

// box is a queue without a bound, so that a peer is read whether or not anybody takes.
type box[T any] struct {
	mu    sync.Mutex
	items []T
	more  chan struct{}
}

func newBox[T any]() *box[T] { return &box[T]{more: make(chan struct{}, 1)} }

func (b *box[T]) put(x T) {
	b.mu.Lock()
	b.items = append(b.items, x)
	b.mu.Unlock()
	select {
	case b.more <- struct{}{}:
	default:
	}
}

// take waits for the next; false when it does not come.
func (b *box[T]) take(limit time.Duration) (x T, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return b.next(ctx)
}

func (b *box[T]) next(ctx context.Context) (x T, ok bool) {
	for {
		b.mu.Lock()
		if len(b.items) > 0 {
			x, b.items = b.items[0], b.items[1:]
			b.mu.Unlock()
			return x, true
		}
		b.mu.Unlock()
		select {
		case <-b.more:
		case <-ctx.Done():
			return x, false
		}
	}
}

// processPeer is a peer in a process of its own.
type processPeer struct {
	name string
	cmd  *exec.Cmd
	end  chan struct{}

	mu      sync.Mutex
	in      *json.Encoder
	seq     int
	answers map[int]chan mqttAnswer
	to      map[string]func(mqttAnswer)
}

// startPeer runs a peer's process until the test is over.
func startPeer(t *testing.T, env string, command ...string) *processPeer {
	t.Helper()
	p := &processPeer{name: command[len(command)-1], cmd: exec.Command(command[0], command[1:]...), end: make(chan struct{}),
		answers: map[int]chan mqttAnswer{}, to: map[string]func(mqttAnswer){}}
	p.cmd.Env = append(os.Environ(), env)
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = &logged{t: t, prefix: p.name}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("%v; make setup installs it", err)
	}
	p.in = json.NewEncoder(stdin)
	go p.read(stdout)
	t.Cleanup(func() {
		stdin.Close()
		late := time.AfterFunc(5*time.Second, func() { _ = p.cmd.Process.Kill() })
		<-p.end
		_ = p.cmd.Wait()
		late.Stop()
	})
	return p
}

func (p *processPeer) read(stdout io.Reader) {
	defer close(p.end)
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var a mqttAnswer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			continue
		}
		p.mu.Lock()
		c, to := p.answers[a.Seq], p.to[a.Client]
		delete(p.answers, a.Seq)
		p.mu.Unlock()
		switch {
		case a.Event != "" && to != nil:
			to(a)
		case c != nil:
			c <- a
		}
	}
}

func (p *processPeer) listen(client string, to func(mqttAnswer)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to[client] = to
}

func (p *processPeer) ask(r mqttRequest) (mqttAnswer, error) {
	c := make(chan mqttAnswer, 1)
	p.mu.Lock()
	p.seq++
	r.Seq = p.seq
	p.answers[r.Seq] = c
	err := p.in.Encode(r)
	p.mu.Unlock()
	if err != nil {
		return mqttAnswer{}, err
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case a := <-c:
		if a.Error != "" {
			return a, fmt.Errorf("%s", a.Error)
		}
		return a, nil
	case <-p.end:
		return mqttAnswer{}, fmt.Errorf("%s: the process ended", p.name)
	case <-late.C:
		return mqttAnswer{}, fmt.Errorf("%s does not answer", p.name)
	}
}

// kill ends the process as kill -9 does.
func (p *processPeer) kill(string) {
	_ = p.cmd.Process.Kill()
	<-p.end
}

// A localPeer runs a library's clients in this process.
type localPeer struct {
	library mqttLibrary

	mu    sync.Mutex
	links map[string]mqttLink
	to    map[string]func(mqttAnswer)
}

// An mqttLibrary connects a client; say reports its events.
type mqttLibrary func(r *mqttRequest, say func(mqttAnswer)) (mqttLink, mqttAnswer)

// An mqttLink is one client of a library.
type mqttLink interface {
	do(r *mqttRequest) mqttAnswer
}

func (p *localPeer) listen(client string, to func(mqttAnswer)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to[client] = to
}

func (p *localPeer) ask(r mqttRequest) (a mqttAnswer, err error) {
	p.mu.Lock()
	link, to := p.links[r.Client], p.to[r.Client]
	p.mu.Unlock()
	switch {
	case r.Op == "connect":
		link, a = p.library(&r, func(e mqttAnswer) {
			if to != nil {
				to(e)
			}
		})
		if link != nil {
			p.mu.Lock()
			p.links[r.Client] = link
			p.mu.Unlock()
		}
	case link == nil:
		a.Error = "no such client"
	default:
		a = link.do(&r)
	}
	if a.Error != "" {
		return a, fmt.Errorf("%s", a.Error)
	}
	return a, nil
}

func (p *localPeer) kill(client string) {
	_, _ = p.ask(mqttRequest{Op: "kill", Client: client}) // it has no answer
}

// peerVariable names the Go library that this binary drives, instead of running tests.
const peerVariable = "ENTREPOT_INTEROP_PEER"

// serveLibrary is the process of a peer written in Go: it speaks the line protocol on stdin and stdout.
func serveLibrary(library mqttLibrary) {
	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout)
	say := func(a mqttAnswer) {
		mu.Lock()
		defer mu.Unlock()
		_ = out.Encode(a) // the reader has gone, and so will we
	}
	work := map[string]chan mqttRequest{}
	lines := json.NewDecoder(os.Stdin)
	for {
		var r mqttRequest
		if lines.Decode(&r) != nil {
			return
		}
		if work[r.Client] == nil {
			c := make(chan mqttRequest, 16)
			work[r.Client] = c
			go serveClient(library, c, say)
		}
		work[r.Client] <- r
	}
}

func serveClient(library mqttLibrary, in <-chan mqttRequest, say func(mqttAnswer)) {
	var link mqttLink
	for r := range in {
		var a mqttAnswer
		switch {
		case r.Op == "connect":
			link, a = library(&r, func(e mqttAnswer) {
				e.Client = r.Client
				say(e)
			})
		case link == nil:
			a.Error = "no such client"
		default:
			a = link.do(&r)
		}
		a.Seq = r.Seq
		say(a)
	}
}

// payloads are what a publish request asks for.
func payloads(r *mqttRequest) (all [][]byte) {
	base, _ := hex.DecodeString(r.Payload)
	if r.Count == 0 {
		return [][]byte{base}
	}
	for i := range r.Count {
		all = append(all, fmt.Appendf(nil, "%s%d", base, r.From+i))
	}
	return all
}

// serial makes names that no other test has.
var serial atomic.Int64

// mqttClient is a test's view of one client.
type mqttClient struct {
	t    *testing.T
	peer mqttPeer
	name string
	got  *box[mqttAnswer] // messages
	ends *box[int]        // codes of lost connections
	ack  mqttAnswer       // the CONNACK
}

func newClient(t *testing.T, p mqttPeer) *mqttClient {
	c := &mqttClient{t: t, peer: p, name: fmt.Sprintf("c%d", serial.Add(1)), got: newBox[mqttAnswer](), ends: newBox[int]()}
	p.listen(c.name, func(a mqttAnswer) {
		switch a.Event {
		case "message":
			c.got.put(a)
		case "lost":
			c.ends.put(a.Code)
		}
	})
	return c
}

func (c *mqttClient) ask(r mqttRequest) (mqttAnswer, error) {
	r.Client = c.name
	return c.peer.ask(r)
}

// must fails the test when the library reports an error.
func (c *mqttClient) must(r mqttRequest) mqttAnswer {
	c.t.Helper()
	a, err := c.ask(r)
	if err != nil {
		c.t.Fatalf("%s: %s: %v", c.name, r.Op, err)
	}
	return a
}

func (c *mqttClient) subscribe(qos int, filters ...string) []int {
	c.t.Helper()
	return c.must(mqttRequest{Op: "subscribe", Filters: filters, mqttMessage: mqttMessage{QoS: qos}}).Codes
}

// publish sends a text.
func (c *mqttClient) publish(topic, text string, qos int) int {
	c.t.Helper()
	return c.send(mqttMessage{Topic: topic, Payload: hex.EncodeToString([]byte(text)), QoS: qos})
}

func (c *mqttClient) retain(topic, text string, qos int) {
	c.t.Helper()
	c.send(mqttMessage{Topic: topic, Payload: hex.EncodeToString([]byte(text)), QoS: qos, Retain: true})
}

func (c *mqttClient) send(m mqttMessage) int {
	c.t.Helper()
	return c.must(mqttRequest{Op: "publish", mqttMessage: m}).Code
}

// burst publishes count messages without waiting in between, whose texts are prefix and a number.
func (c *mqttClient) burst(topic, prefix string, qos, from, count int) {
	c.t.Helper()
	c.must(mqttRequest{Op: "publish", Count: count, From: from, mqttMessage: mqttMessage{Topic: topic, Payload: hex.EncodeToString([]byte(prefix)), QoS: qos}})
}

func (c *mqttClient) disconnect() {
	c.t.Helper()
	c.must(mqttRequest{Op: "disconnect"})
}

func (c *mqttClient) kill() { c.peer.kill(c.name) }

// next is the next message.
func (c *mqttClient) next() mqttAnswer {
	c.t.Helper()
	m, ok := c.got.take(patience)
	if !ok {
		c.t.Fatalf("%s: no message came", c.name)
	}
	return m
}

// text is the payload of a message.
func (a *mqttMessage) text() string {
	b, err := hex.DecodeString(a.Payload)
	if err != nil {
		return "undecodable " + a.Payload
	}
	return string(b)
}

// texts are the payloads of the next n messages.
func (c *mqttClient) texts(n int) (all []string) {
	c.t.Helper()
	for range n {
		m, ok := c.got.take(patience)
		if !ok {
			c.t.Fatalf("%s: %d of %d messages came: %.200q", c.name, len(all), n, all)
		}
		all = append(all, m.text())
	}
	return all
}

// expect fails the test unless the next messages are these and in this order.
func (c *mqttClient) expect(texts ...string) {
	c.t.Helper()
	for i, want := range texts {
		m, ok := c.got.take(patience)
		if !ok {
			c.t.Fatalf("%s: message %d, %.40q, does not come", c.name, i, want)
		}
		if got := m.text(); got != want {
			c.t.Fatalf("%s: message %d is %.40q, want %.40q", c.name, i, got, want)
		}
	}
}

// lost is the code with which the connection ended.
func (c *mqttClient) lost() int {
	c.t.Helper()
	code, ok := c.ends.take(patience)
	if !ok {
		c.t.Fatalf("%s: the connection does not end", c.name)
	}
	return code
}
