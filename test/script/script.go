// Package script reads and runs the scripts of the cross-protocol matrix, test/matrix/testdata/*.txt. Their form is
// described in test/matrix/testdata/README.md.
package script

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/entrepot/entrepot/internal/dial"
)

// Script is one scenario.
type Script struct {
	Name  string // of the file, without its end
	About string // the comment that it opens with
	Steps []Step
	only  []limit
}

// A Step is one line.
type Step struct {
	Line    int
	Verb    string // subscribe, publish, receive, nothing, refuse, dropped
	Who     string // the connection of subscribe, receive and nothing
	Message dial.Message
	Fields  map[string]bool // the fields that were written down
	Reason  string          // of dropped
}

// A limit keeps a script to some pairs.
type limit struct {
	side, protocol string
	not            bool
}

// Runs tells whether the script concerns the pair: what it restricts itself to, and whether the publisher can retain where
// that is what the script is about.
func (s *Script) Runs(in, out Peer) bool {
	for _, st := range s.Steps {
		if st.Fields["retain"] && !in.Says().Retain {
			return false
		}
	}
	for _, l := range s.only {
		peer := in
		if l.side == "out" {
			peer = out
		}
		if l.concerns(peer) == l.not {
			return false
		}
	}
	return true
}

// A Named peer can be told apart from others of its protocol.
type Named interface{ Name() string }

func (l *limit) concerns(p Peer) bool {
	n, ok := p.(Named)
	return p.Protocol() == l.protocol || ok && n.Name() == l.protocol
}

// Load reads all scripts of a folder.
func Load(dir string) ([]*Script, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no scripts in %s: %v", dir, err)
	}
	var all []*Script
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		s, err := Parse(strings.TrimSuffix(filepath.Base(p), ".txt"), string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		all = append(all, s)
	}
	return all, nil
}

// Parse reads one script.
func Parse(name, text string) (*Script, error) {
	s := &Script{Name: name}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if about, ok := strings.CutPrefix(line, "#"); ok || line == "" {
			if s.About == "" {
				s.About = strings.TrimSpace(about)
			}
			continue
		}
		if err := s.line(i+1, words(line)); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	if s.About == "" || len(s.Steps) == 0 {
		return nil, fmt.Errorf("a script opens with a comment and has steps")
	}
	return s, nil
}

// words splits at spaces that no quotes hold.
func words(line string) (list []string) {
	var word strings.Builder
	quoted, any := false, false
	for _, r := range line {
		switch {
		case r == '"':
			quoted, any = !quoted, true
		case r == ' ' && !quoted:
			if any {
				list = append(list, word.String())
			}
			word.Reset()
			any = false
		default:
			word.WriteRune(r)
			any = true
		}
	}
	if any {
		list = append(list, word.String())
	}
	return list
}

func (s *Script) line(n int, w []string) error {
	st := Step{Line: n, Verb: w[0], Fields: map[string]bool{}}
	need := map[string]int{"subscribe": 3, "publish": 3, "receive": 4, "nothing": 2, "refuse": 3, "dropped": 3, "only": 2, "not": 2}[w[0]]
	if need == 0 || len(w) < need {
		return fmt.Errorf("%q is no step, or lacks something", strings.Join(w, " "))
	}
	rest := w[need:]
	var err error
	switch w[0] {
	case "only", "not":
		side, protocol, ok := strings.Cut(w[1], "=")
		if !ok || side != "in" && side != "out" {
			return fmt.Errorf("write in=PROTOCOL or out=PROTOCOL")
		}
		s.only = append(s.only, limit{side, protocol, w[0] == "not"})
		return nil
	case "subscribe":
		st.Who, st.Message.Topic = w[1], w[2]
	case "publish", "refuse":
		st.Message.Topic = w[1]
		st.Message.Payload, err = payload(w[2])
	case "receive":
		st.Who, st.Message.Topic = w[1], w[2]
		st.Message.Payload, err = payload(w[3])
	case "nothing":
		st.Who = w[1]
	case "dropped":
		st.Who, st.Reason = w[1], w[2]
	}
	if err == nil {
		err = st.fields(rest)
	}
	s.Steps = append(s.Steps, st)
	return err
}

// payload reads empty, hex:00ff, size:1MiB, or text.
func payload(word string) ([]byte, error) {
	if word == "empty" {
		return nil, nil
	}
	if digits, ok := strings.CutPrefix(word, "hex:"); ok {
		return hex.DecodeString(digits)
	}
	if size, ok := strings.CutPrefix(word, "size:"); ok {
		n := map[string]int{"1KiB": 1 << 10, "1MiB": 1 << 20}[size]
		if n == 0 {
			return nil, fmt.Errorf("size %q is not known", size)
		}
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		return bytes.Repeat(all, n/256), nil
	}
	return []byte(word), nil
}

func (st *Step) fields(list []string) error {
	m := &st.Message
	for _, f := range list {
		key, value, _ := strings.Cut(f, "=")
		st.Fields[key] = true
		switch key {
		case "qos":
			n, err := strconv.Atoi(value)
			if err != nil {
				return err
			}
			m.QoS = n
		case "retain":
			m.Retain = true
		case "type":
			m.ContentType = value
		case "expiry":
			n, err := strconv.Atoi(value)
			if err != nil {
				return err
			}
			m.Expiry = time.Duration(n) * time.Second
		case "reply":
			m.ReplyTo = value
		case "correlation":
			m.Correlation = []byte(value)
		default:
			name, ok := strings.CutPrefix(key, "header:")
			if !ok {
				return fmt.Errorf("field %q is not known", key)
			}
			m.Headers = append(m.Headers, dial.Header{Name: name, Value: value})
		}
	}
	return nil
}
