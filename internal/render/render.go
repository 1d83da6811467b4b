// Package render writes received messages to a terminal or a pipe.
//
// It is defined by docs/commands.md: -F formats one message with mosquitto's letters, -o chooses a fixed shape. The keys
// of the JSON envelope are never renamed.
package render

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/entrepot/entrepot/internal/dial"
)

// A Message is what a renderer writes: a received message and where it came from.
type Message struct {
	dial.Message
	Time     time.Time
	Protocol string
	Client   string
	ID       int // number of the message since the start, from 1
}

// A Func writes one message with its newline.
type Func func(w io.Writer, m Message) error

// Outputs are the words of -o.
func Outputs() []string { return []string{"raw", "pretty", "jsonl", "json", "csv"} }

// Output returns the writer for a word of -o.
func Output(word string) (Func, error) {
	switch word {
	case "raw":
		return raw, nil
	case "pretty":
		return pretty, nil
	case "jsonl":
		return jsonl, nil
	case "json":
		return indented, nil
	case "csv":
		return commas, nil
	}
	return nil, fmt.Errorf("-o is one of %s, not %q", strings.Join(Outputs(), ", "), word)
}

// Verbose writes topic and payload on one line.
func Verbose(w io.Writer, m Message) error {
	_, err := fmt.Fprintf(w, "%s %s\n", m.Topic, m.Payload)
	return err
}

func raw(w io.Writer, m Message) error {
	_, err := w.Write(append(slices.Clip(m.Payload), '\n'))
	return err
}

// pretty is for people: time, topic, QoS, a badge for retained, and the payload decoded or in hexadecimal.
func pretty(w io.Writer, m Message) error {
	badge := ""
	if m.Retain {
		badge = " retained"
	}
	_, err := fmt.Fprintf(w, "%s %s q%d%s  %s\n", m.Time.Format("15:04:05.000"), m.Topic, m.QoS, badge, legible(m.Payload))
	return err
}

func legible(p []byte) string {
	if !utf8.Valid(p) {
		return hex.EncodeToString(p)
	}
	var b bytes.Buffer
	if len(p) > 1 && (p[0] == '{' || p[0] == '[') && json.Indent(&b, p, "", "  ") == nil {
		return b.String()
	}
	return string(p)
}

type envelope struct {
	TS         string         `json:"ts"`
	Protocol   string         `json:"protocol"`
	Topic      string         `json:"topic"`
	QoS        int            `json:"qos"`
	Retain     bool           `json:"retain"`
	Client     string         `json:"client"`
	Properties map[string]any `json:"properties"`
	Payload    *string        `json:"payload,omitempty"`
	Base64     *[]byte        `json:"payload_b64,omitempty"`
}

func envelopeOf(m Message) envelope {
	e := envelope{TS: m.Time.Format("2006-01-02T15:04:05.000Z07:00"), Protocol: m.Protocol, Topic: m.Topic, QoS: m.QoS,
		Retain: m.Retain, Client: m.Client, Properties: properties(m)}
	if utf8.Valid(m.Payload) {
		text := string(m.Payload)
		e.Payload = &text
	} else {
		e.Base64 = &m.Payload
	}
	return e
}

// properties are what few messages have; headers keep their order and duplicates.
func properties(m Message) map[string]any {
	p := map[string]any{}
	add := func(key string, value any, present bool) {
		if present {
			p[key] = value
		}
	}
	add("content_type", m.ContentType, m.ContentType != "")
	add("expiry", m.Expiry.Seconds(), m.Expiry > 0)
	add("reply_to", m.ReplyTo, m.ReplyTo != "")
	add("correlation", text(m.Correlation), len(m.Correlation) > 0)
	add("redelivered", true, m.Redelivered)
	if len(m.Headers) > 0 {
		list := make([][2]string, len(m.Headers))
		for i, h := range m.Headers {
			list[i] = [2]string{h.Name, h.Value}
		}
		p["headers"] = list
	}
	return p
}

// text is the bytes themselves where they are text, else their hexadecimal form.
func text(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return hex.EncodeToString(b)
}

func jsonl(w io.Writer, m Message) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(envelopeOf(m))
}

func indented(w io.Writer, m Message) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(envelopeOf(m))
}

func commas(w io.Writer, m Message) error {
	c := csv.NewWriter(w)
	err := c.Write([]string{m.Time.Format(time.RFC3339Nano), m.Protocol, m.Topic, strconv.Itoa(m.QoS), strconv.FormatBool(m.Retain), text(m.Payload)})
	c.Flush()
	return err
}
