package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"
)

// The codes of what can be wrong with a configuration; each has a paragraph in docs/errors.md.
const (
	CodeFile      = "E-CONFIG-FILE"
	CodeSyntax    = "E-CONFIG-SYNTAX"
	CodeUnknown   = "E-CONFIG-UNKNOWN-KEY"
	CodeDuplicate = "E-CONFIG-DUPLICATE-KEY"
	CodeType      = "E-CONFIG-TYPE"
	CodeRange     = "E-CONFIG-RANGE"
	CodeVariable  = "E-CONFIG-VARIABLE"
	CodeURL       = "E-CONFIG-URL"
	CodeAnonymous = "E-CONFIG-ANONYMOUS"
	CodeTLS       = "E-CONFIG-TLS"
	CodeExpiring  = "E-CONFIG-TLS-EXPIRING"
)

// Codes lists all codes, in the order of docs/errors.md.
func Codes() []string {
	return []string{CodeFile, CodeSyntax, CodeUnknown, CodeDuplicate, CodeType, CodeRange, CodeVariable, CodeURL, CodeAnonymous, CodeTLS, CodeExpiring}
}

// A Problem is one mistake in a configuration, with the place where it was made.
type Problem struct {
	Code string
	// File is the file's path, or the flag or variable that holds the mistake.
	File string
	// Line and Column are 1-based; 0 where File is no file.
	Line, Column int
	// Path is the key, such as listeners[0].url.
	Path string
	// Message says what is wrong and why, in one line.
	Message string
	// Hint is what to write instead, often empty.
	Hint string

	excerpt string
	arg     string // the argument that File names
}

// String formats the problem with its excerpt, without a newline at the end.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	if p.arg != "" {
		b.WriteString(" " + p.arg)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	b.WriteString(p.excerpt)
	b.WriteString("\n  ")
	if p.Hint != "" {
		b.WriteString(p.Hint + "    ")
	}
	b.WriteString("more: /docs/errors#" + p.Code)
	return b.String()
}

// Problems are all mistakes of a configuration, sorted by position.
type Problems []Problem

// Error formats every problem with its excerpt, one after the other.
func (ps Problems) Error() string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.String() + "\n")
	}
	if len(ps) == 1 {
		b.WriteString("1 error.")
	} else {
		fmt.Fprintf(&b, "%d errors.", len(ps))
	}
	return b.String()
}

// finish sorts the problems, drops repetitions and adds the excerpts.
func (ps *Problems) finish(file string, text []byte) {
	slices.SortStableFunc(*ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(rank(a, file), rank(b, file)), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	*ps = slices.CompactFunc(*ps, func(a, b Problem) bool {
		return a.File == b.File && a.Line == b.Line && a.Column == b.Column && a.Message == b.Message && a.arg == b.arg
	})
	lines := bytes.Split(text, []byte("\n"))
	for i := range *ps {
		p := &(*ps)[i]
		if p.File == file && p.Line > 0 && p.Line <= len(lines) {
			p.excerpt = excerpt(lines, p.Line, p.Column)
		}
	}
}

// rank puts the file before the environment and that before the flags, as they are read.
func rank(p Problem, file string) int {
	switch p.File {
	case file:
		return 0
	case fromEnvironment:
		return 1
	default:
		return 2
	}
}

// excerpt shows the line, up to two before it and a caret below the column.
func excerpt(lines [][]byte, line, column int) string {
	var b strings.Builder
	for n := max(1, line-2); n <= line; n++ {
		mark := " "
		if n == line {
			mark = ">"
		}
		fmt.Fprintf(&b, "\n%s%3d | %s", mark, n, printable(lines[n-1]))
	}
	pad := strings.Repeat(" ", min(len(lines[line-1]), column-1))
	b.WriteString("\n       " + pad + "^")
	return b.String()
}

// printable keeps a line of the file to one line of at most 160 characters on a terminal.
func printable(line []byte) string {
	s := strings.Map(func(r rune) rune {
		if r == '\t' || r == '\r' || r == utf8.RuneError || r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.TrimRight(string(line), "\r"))
	if r := []rune(s); len(r) > 160 {
		return string(r[:160]) + "..."
	}
	return s
}

// plainError says in plain words what the system answered.
type plainError struct {
	verb string
	err  error
}

func (e plainError) Error() string {
	switch {
	case e.err == nil:
		return e.verb
	case errors.Is(e.err, fs.ErrNotExist):
		return e.verb + ": there is no such file"
	case errors.Is(e.err, fs.ErrPermission):
		return e.verb + ": permission denied"
	}
	var pe *fs.PathError
	if errors.As(e.err, &pe) {
		return e.verb + ": " + pe.Err.Error()
	}
	return e.verb + ": " + e.err.Error()
}

func (e plainError) Unwrap() error { return e.err }
