package interop

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/dial"
	"github.com/entrepot/entrepot/test/script"
)

// A helper is a process that drives a client library: one JSON request a line, one answer a line, and messages in between.
//
//	{"seq":1,"op":"publish","address":...,"payload":hex,"qos":1,"retain":false,"headers":[[name,value]],...}  ->  {"seq":1} or {"seq":1,"error":...}
//	{"seq":2,"op":"subscribe","id":7,"address":...,"qos":1}  ->  {"seq":2}, then {"id":7,"address":...,"payload":hex,...} for each message
//	{"seq":3,"op":"close","id":7}  ->  {"seq":3}
type helper struct {
	protocol    string
	says, shows script.Ability
	encode      func(topic string, filter bool) string // topic to the library's address
	decode      func(address string) string
	read        func(properties map[string]any, m *dial.Message)

	mu      sync.Mutex
	in      *json.Encoder
	seq     int
	answers map[int]chan string
	inbox   map[int]*box[dial.Message]
	ended   chan struct{}
}

type request struct {
	Seq         int         `json:"seq"`
	Op          string      `json:"op"`
	ID          int         `json:"id,omitempty"`
	Address     string      `json:"address,omitempty"`
	Payload     string      `json:"payload"`
	QoS         int         `json:"qos"`
	Retain      bool        `json:"retain"`
	Headers     [][2]string `json:"headers"`
	ContentType string      `json:"content-type,omitempty"`
	ReplyTo     string      `json:"reply-to,omitempty"`
	Correlation string      `json:"correlation-id,omitempty"`
	Expiration  string      `json:"expiration,omitempty"` // as text, in milliseconds
	Expiry      int         `json:"expiry,omitempty"`     // in seconds
}

type answer struct {
	Seq        int            `json:"seq"`
	Error      string         `json:"error"`
	ID         int            `json:"id"`
	Address    string         `json:"address"`
	Payload    string         `json:"payload"`
	QoS        int            `json:"qos"`
	Retain     bool           `json:"retain"`
	Properties map[string]any `json:"properties"`
}

// start runs the process; it ends with the test.
func (h *helper) start(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = &logged{t: t, prefix: args[0]}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v; make setup installs it", name, err)
	}
	h.in, h.answers, h.inbox, h.ended = json.NewEncoder(stdin), map[int]chan string{}, map[int]*box[dial.Message]{}, make(chan struct{})
	go func() {
		defer close(h.ended)
		lines := bufio.NewScanner(stdout)
		lines.Buffer(nil, 8<<20)
		for lines.Scan() {
			h.line(lines.Bytes())
		}
	}()
	t.Cleanup(func() {
		stdin.Close()
		late := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		<-h.ended
		_ = cmd.Wait()
		late.Stop()
	})
}

func (h *helper) line(line []byte) {
	var a answer
	if err := json.Unmarshal(line, &a); err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if a.ID != 0 {
		payload, _ := hex.DecodeString(a.Payload)
		m := dial.Message{Topic: h.decode(a.Address), Payload: payload, QoS: a.QoS, Retain: a.Retain}
		h.read(a.Properties, &m)
		if box := h.inbox[a.ID]; box != nil {
			box.put(m)
		}
		return
	}
	if c := h.answers[a.Seq]; c != nil {
		delete(h.answers, a.Seq)
		c <- a.Error
	}
}

// ask sends one request and waits for its answer.
func (h *helper) ask(ctx context.Context, r request) error {
	c := make(chan string, 1)
	h.mu.Lock()
	h.seq++
	r.Seq = h.seq
	h.answers[r.Seq] = c
	err := h.in.Encode(r)
	h.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case text := <-c:
		if text != "" {
			return errors.New(text)
		}
		return nil
	case <-h.ended:
		return errors.New("the client's process ended")
	case <-ctx.Done():
		return fmt.Errorf("the client does not answer: %w", ctx.Err())
	}
}

func (h *helper) Protocol() string      { return h.protocol }
func (h *helper) Says() script.Ability  { return h.says }
func (h *helper) Shows() script.Ability { return h.shows }

// Publish implements script.Peer.
func (h *helper) Publish(ctx context.Context, m dial.Message) error {
	r := request{Op: "publish", Address: h.encode(m.Topic, false), Payload: hex.EncodeToString(m.Payload), QoS: m.QoS, Retain: m.Retain,
		ContentType: m.ContentType, Correlation: string(m.Correlation)}
	for _, hd := range m.Headers {
		r.Headers = append(r.Headers, [2]string{hd.Name, hd.Value})
	}
	if m.ReplyTo != "" {
		r.ReplyTo = h.encode(m.ReplyTo, false)
	}
	if m.Expiry > 0 {
		r.Expiry = int(m.Expiry / time.Second)
		r.Expiration = strconv.FormatInt(m.Expiry.Milliseconds(), 10)
	}
	return h.ask(ctx, r)
}

// Subscribe implements script.Peer.
func (h *helper) Subscribe(ctx context.Context, filter string, qos int) (script.Receiver, error) {
	box := newBox[dial.Message]()
	h.mu.Lock()
	id := len(h.inbox) + 1
	h.inbox[id] = box
	h.mu.Unlock()
	if err := h.ask(ctx, request{Op: "subscribe", ID: id, Address: h.encode(filter, true), QoS: qos}); err != nil {
		return nil, err
	}
	return &helperReceiver{h, id, box}, nil
}

type helperReceiver struct {
	h   *helper
	id  int
	box *box[dial.Message]
}

func (r *helperReceiver) Next(ctx context.Context, _ []byte) (dial.Message, error) {
	m, ok := r.box.next(ctx)
	if !ok {
		return m, fmt.Errorf("nothing came: %w", ctx.Err())
	}
	return m, nil
}

func (r *helperReceiver) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = r.h.ask(ctx, request{Op: "close", ID: r.id})
}

// logged writes a process's stderr to the test's log.
type logged struct {
	t      *testing.T
	prefix string
}

func (l *logged) Write(p []byte) (int, error) {
	l.t.Logf("%s: %s", l.prefix, p)
	return len(p), nil
}
