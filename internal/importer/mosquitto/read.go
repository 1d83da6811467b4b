package mosquitto

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	maxLine     = 64 << 10 // bytes
	maxLines    = 100_000  // of all files
	maxIncludes = 10       // include_dir within include_dir
)

// A Verdict is what became of a line.
type Verdict int

// The verdicts, from best to worst.
const (
	OK Verdict = iota
	Changed
	NotTranslated
)

// String is the word of the report.
func (v Verdict) String() string { return [...]string{"ok", "changed", "not translated"}[v] }

// A Line is one line that says something, and what became of it.
type Line struct {
	File    string
	Number  int
	Text    string
	Verdict Verdict
	Why     string // what is different, or why it is not translated; may be empty for OK

	key, value string
}

// String is the line of the report.
func (l *Line) String() string {
	text := fmt.Sprintf("%s:%d: %s: %s", l.File, l.Number, l.Text, l.Verdict)
	if l.Why != "" {
		text += ": " + l.Why
	}
	return text
}

// changed says how a line came over.
func (l *Line) changed(format string, args ...any) { l.say(Changed, format, args...) }

// lost says why it did not.
func (l *Line) lost(format string, args ...any) { l.say(NotTranslated, format, args...) }

// note says something of a line that came over as it is.
func (l *Line) note(format string, args ...any) { l.say(OK, format, args...) }

// say adds to the verdict; the worst counts.
func (l *Line) say(v Verdict, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	l.Verdict = max(l.Verdict, v)
	switch {
	case l.Why == "":
		l.Why = text
	case !strings.Contains("; "+l.Why+";", "; "+text+";"): // once, however many listeners it is about
		l.Why += "; " + text
	}
}

// readAll gathers the lines of a file and of those that it includes.
func readAll(path string) ([]*Line, error) {
	r := &reader{}
	err := r.file(path, 0)
	return r.lines, err
}

type reader struct{ lines []*Line }

func (r *reader) file(path string, depth int) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return r.read(f, path, depth)
}

func (r *reader) read(in io.Reader, path string, depth int) error {
	s := bufio.NewScanner(in)
	s.Buffer(nil, maxLine)
	for n := 1; s.Scan(); n++ {
		text := strings.TrimSpace(strings.ToValidUTF8(s.Text(), "\ufffd"))
		if text == "" || text[0] == '#' {
			continue
		}
		if len(r.lines) == maxLines {
			return fmt.Errorf("%s:%d: more than %d lines", path, n, maxLines)
		}
		key, value, _ := strings.Cut(text, " ")
		l := &Line{File: path, Number: n, Text: shown(key, text), key: key, value: strings.TrimSpace(value)}
		r.lines = append(r.lines, l)
		if key == "include_dir" {
			r.include(l, depth)
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("%s: a line of more than %d bytes, or: %w", path, maxLine, err)
	}
	return nil
}

// shown hides what a report may not hold: the passwords of bridges.
func shown(key, text string) string {
	switch key {
	case "password", "remote_password", "bridge_psk", "tls_key_passphrase":
		return key + " ***"
	}
	if strings.HasPrefix(key, "plugin_opt_") || strings.HasPrefix(key, "auth_opt_") {
		return key + " ***"
	}
	return text
}

// include reads the files of a folder, in the order of their names.
func (r *reader) include(l *Line, depth int) {
	entries, err := os.ReadDir(l.value)
	switch {
	case err != nil:
		l.lost("the folder cannot be read: %v", plain(err))
		return
	case depth == maxIncludes:
		l.lost("more than %d folders within one another", maxIncludes)
		return
	}
	names := []string{}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".conf") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	l.note("%d files", len(names))
	for _, name := range names {
		if err := r.file(filepath.Join(l.value, name), depth+1); err != nil {
			l.lost("%s: %v", name, plain(err))
		}
	}
}

// plain is an error without the operation and path.
func plain(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
