package interop

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/dial"
	"github.com/entrepot/entrepot/test/script"
)

// A tool is a pair of programs: one that publishes and ends, one that prints what it receives.
type tool struct {
	t           *testing.T
	protocol    string
	says, shows script.Ability
	publish     func(m dial.Message) *exec.Cmd // its stdin becomes the payload
	subscribe   func(filter string, qos int) *exec.Cmd
	// line reads one message of the receiver's output; nil for a receiver that prints payloads alone.
	line func(line string) (dial.Message, error)
	// output is where the receiver's payloads come from when not from its stdout.
	output func() (*os.File, string)
}

func (c *tool) Protocol() string      { return c.protocol }
func (c *tool) Says() script.Ability  { return c.says }
func (c *tool) Shows() script.Ability { return c.shows }

// Publish implements script.Peer.
func (c *tool) Publish(ctx context.Context, m dial.Message) error {
	cmd := c.publish(m)
	cmd.Stdin = bytes.NewReader(m.Payload)
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	if err := cmd.Start(); err != nil {
		c.t.Fatalf("%v; make setup installs it", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd, err, text.String())
	}
	if strings.HasPrefix(text.String(), "4.") || strings.HasPrefix(text.String(), "5.") { // coap-client ends with 0 all the same
		return fmt.Errorf("%s", text.String())
	}
	return nil
}

// Subscribe implements script.Peer.
func (c *tool) Subscribe(_ context.Context, filter string, qos int) (script.Receiver, error) {
	cmd := c.subscribe(filter, qos)
	r := &toolReceiver{tool: c, cmd: cmd, ended: make(chan struct{})}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var from io.Reader = stdout
	if c.output != nil {
		file, path := c.output()
		cmd.Args = append(cmd.Args[:len(cmd.Args)-1], "-o", path, cmd.Args[len(cmd.Args)-1])
		r.file, from = file, file
	}
	if err := cmd.Start(); err != nil {
		c.t.Fatalf("%v; make setup installs it", err)
	}
	r.messages, r.bytes = make(chan dial.Message, 256), make(chan []byte, 256)
	go func() {
		defer close(r.ended)
		if c.line != nil {
			r.lines(from)
			return
		}
		r.stream(from)
	}()
	return r, nil
}

type toolReceiver struct {
	tool     *tool
	cmd      *exec.Cmd
	file     *os.File
	ended    chan struct{}
	messages chan dial.Message
	bytes    chan []byte
	rest     []byte
}

func (r *toolReceiver) lines(from io.Reader) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		m, err := r.tool.line(lines.Text())
		if err != nil {
			m = dial.Message{Topic: err.Error()}
		}
		r.messages <- m
	}
}

func (r *toolReceiver) stream(from io.Reader) {
	for {
		b := make([]byte, 64<<10)
		n, err := from.Read(b)
		if n > 0 {
			r.bytes <- b[:n]
		}
		if err != nil {
			return
		}
	}
}

// Next implements script.Receiver.
func (r *toolReceiver) Next(ctx context.Context, want []byte) (dial.Message, error) {
	if r.tool.line == nil {
		return r.piece(ctx, want)
	}
	select {
	case m := <-r.messages:
		return m, nil
	case <-ctx.Done():
		return dial.Message{}, fmt.Errorf("nothing came: %w", ctx.Err())
	}
}

// piece reads as many bytes as are expected: the client writes payloads with nothing between them.
func (r *toolReceiver) piece(ctx context.Context, want []byte) (dial.Message, error) {
	for len(r.rest) < len(want) {
		select {
		case b := <-r.bytes:
			r.rest = append(r.rest, b...)
		case <-ctx.Done():
			return dial.Message{}, fmt.Errorf("only %q came: %w", r.rest, ctx.Err())
		}
	}
	m := dial.Message{Payload: bytes.Clone(r.rest[:len(want)])}
	r.rest = r.rest[len(want):]
	return m, nil
}

// Close implements script.Receiver.
func (r *toolReceiver) Close() {
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(5*time.Second, func() { _ = r.cmd.Process.Kill() })
	defer late.Stop()
	if r.file != nil {
		_ = r.cmd.Wait()
		r.file.Close()
		<-r.ended
		return
	}
	<-r.ended
	_ = r.cmd.Wait()
}

// newMosquitto is mosquitto_pub and mosquitto_sub, MQTT 5.
func newMosquitto(t *testing.T, s *server) script.Peer {
	base := []string{"-V", "5", "-p", s.port["mqtt"]}
	return &tool{t: t, protocol: "mqtt", says: script.Ability{Ability: all("mqtt")},
		shows: script.Ability{Ability: all("mqtt"), Topic: true, QoS: true, RetainBit: true},
		publish: func(m dial.Message) *exec.Cmd {
			args := append(append([]string{}, base...), "-t", m.Topic, "-q", strconv.Itoa(m.QoS))
			if len(m.Payload) == 0 {
				args = append(args, "-n")
			} else {
				args = append(args, "-s")
			}
			if m.Retain {
				args = append(args, "-r")
			}
			property := func(name string, values ...string) { args = append(append(args, "-D", "publish", name), values...) }
			if m.ContentType != "" {
				property("content-type", m.ContentType)
			}
			if m.ReplyTo != "" {
				property("response-topic", m.ReplyTo)
			}
			if len(m.Correlation) > 0 {
				property("correlation-data", string(m.Correlation))
			}
			if m.Expiry > 0 {
				property("message-expiry-interval", strconv.Itoa(int(m.Expiry/time.Second)))
			}
			for _, h := range m.Headers {
				property("user-property", h.Name, h.Value)
			}
			return exec.Command("mosquitto_pub", args...)
		},
		subscribe: func(filter string, qos int) *exec.Cmd {
			return exec.Command("mosquitto_sub", append(append([]string{}, base...), "-t", filter, "-q", strconv.Itoa(qos), "-F", "%x %j")...)
		},
		line: mosquittoLine,
	}
}

// mosquittoLine reads the payload in hexadecimal and the rest as JSON.
func mosquittoLine(line string) (dial.Message, error) {
	digits, text, _ := strings.Cut(line, " ")
	payload, err := hex.DecodeString(digits)
	if err != nil {
		return dial.Message{}, err
	}
	var j struct {
		Topic       string         `json:"topic"`
		QoS         int            `json:"qos"`
		Retain      int            `json:"retain"`
		ContentType string         `json:"contentType"`
		Properties  map[string]any `json:"properties"`
	}
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return dial.Message{}, fmt.Errorf("%w in %s", err, text)
	}
	m := dial.Message{Topic: j.Topic, Payload: payload, QoS: j.QoS, Retain: j.Retain == 1}
	m.ContentType, _ = j.Properties["content-type"].(string)
	m.ReplyTo, _ = j.Properties["response-topic"].(string)
	id, _ := j.Properties["correlation-data"].(string)
	m.Correlation = []byte(id)
	if n, ok := j.Properties["message-expiry-interval"].(float64); ok {
		m.Expiry = time.Duration(n) * time.Second
	}
	switch set := j.Properties["user-properties"].(type) {
	case map[string]any:
		headers(set, &m)
	case []any:
		for _, one := range set {
			headers(one, &m)
		}
	}
	return m, nil
}

// newCoAP is coap-client of libcoap, which prints payloads alone.
func newCoAP(t *testing.T, s *server) script.Peer {
	ability := all("coap")
	address := func(topic string) string {
		segments := strings.Split(topic, "/")
		for i, seg := range segments {
			segments[i] = strings.NewReplacer("+", "%2B").Replace(url.PathEscape(seg))
		}
		return s.url("coap", "/ps/"+strings.Join(segments, "/"))
	}
	return &tool{t: t, protocol: "coap", says: script.Ability{Ability: ability}, shows: script.Ability{Ability: dial.Ability{MaxQoS: 1}},
		publish: func(m dial.Message) *exec.Cmd {
			// Of stdin it would read the first 20,000 bytes.
			file := filepath.Join(scratch(t), "payload")
			if err := os.WriteFile(file, m.Payload, 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"-B", "10", "-m", "post", "-b", "1024", "-f", file}
			if m.QoS == 0 {
				args = append(args, "-N")
			}
			query := url.Values{}
			if m.Retain {
				query.Set("retain", "true")
			}
			if m.ContentType != "" {
				query.Set("ct", m.ContentType)
			}
			if m.ReplyTo != "" {
				query.Set("reply", m.ReplyTo)
			}
			if len(m.Correlation) > 0 {
				query.Set("cid", string(m.Correlation))
			}
			if m.Expiry > 0 {
				query.Set("expiry", strconv.Itoa(int(m.Expiry/time.Second)))
			}
			target := address(m.Topic)
			if len(query) > 0 {
				target += "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
			}
			return exec.Command("coap-client-notls", append(args, target)...)
		},
		subscribe: func(filter string, _ int) *exec.Cmd {
			return exec.Command("coap-client-notls", "-s", "600", "-B", "600", "-m", "get", address(filter))
		},
		output: func() (*os.File, string) {
			path := filepath.Join(scratch(t), "received")
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
			// Open for writing too, so that the pipe does not end before the client has opened it.
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			return f, path
		},
	}
}

// newAMQPTools is amqp-publish and amqp-consume.
func newAMQPTools(t *testing.T, s *server) script.Peer {
	ability := all("amqp")
	ability.Expiry, ability.Correlation, ability.Retain = false, false, false // x-retain is a boolean, and -H writes texts
	return &tool{t: t, protocol: "amqp", says: script.Ability{Ability: ability}, shows: script.Ability{Ability: dial.Ability{MaxQoS: 1}},
		publish: func(m dial.Message) *exec.Cmd {
			args := []string{"-u", s.url("amqp", ""), "-e", "amq.topic", "-r", dotted(m.Topic, false)}
			if m.QoS > 0 {
				args = append(args, "-p")
			}
			if m.ContentType != "" {
				args = append(args, "-C", m.ContentType)
			}
			if m.ReplyTo != "" {
				args = append(args, "-H", "x-reply-to-topic: "+dotted(m.ReplyTo, false))
			}
			for _, h := range m.Headers {
				args = append(args, "-H", h.Name+": "+h.Value)
			}
			return exec.Command("amqp-publish", args...)
		},
		subscribe: func(filter string, qos int) *exec.Cmd {
			args := []string{"-u", s.url("amqp", ""), "-e", "amq.topic", "-r", dotted(filter, true)}
			if qos == 0 {
				args = append(args, "-A")
			}
			return exec.Command("amqp-consume", append(args, "./hex.sh")...)
		},
		line: func(line string) (dial.Message, error) {
			payload, err := hex.DecodeString(line)
			return dial.Message{Payload: payload}, err
		},
	}
}

// newMQTTSN is the binary's own client.
func newMQTTSN(t *testing.T, s *server) script.Peer {
	return &tool{t: t, protocol: "mqttsn", says: script.Ability{Ability: all("mqttsn")},
		shows: script.Ability{Ability: all("mqttsn"), Topic: true, QoS: true, RetainBit: true},
		publish: func(m dial.Message) *exec.Cmd {
			args := []string{"pub", s.url("mqttsn", ""), m.Topic, "-f", "-", "-q", strconv.Itoa(m.QoS)}
			if m.Retain {
				args = append(args, "-r")
			}
			return exec.Command(s.binary, args...)
		},
		subscribe: func(filter string, qos int) *exec.Cmd {
			return exec.Command(s.binary, "sub", s.url("mqttsn", ""), filter, "-q", strconv.Itoa(qos), "-o", "jsonl", "--quiet")
		},
		line: func(line string) (dial.Message, error) {
			var j struct {
				Topic  string
				QoS    int
				Retain bool
				Text   string `json:"payload"`
				Bytes  []byte `json:"payload_b64"`
			}
			err := json.Unmarshal([]byte(line), &j)
			return dial.Message{Topic: j.Topic, QoS: j.QoS, Retain: j.Retain, Payload: append(j.Bytes, j.Text...)}, err
		},
	}
}
