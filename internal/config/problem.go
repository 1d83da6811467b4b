package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/entrepot/entrepot/internal/unreadable"
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
	CodeInclude   = "E-CONFIG-INCLUDE"
	CodeSecret    = "E-CONFIG-SECRET"
	CodePort      = "E-CONFIG-PORT"
	CodeData      = "E-CONFIG-DATA"
	CodeLimits    = "E-CONFIG-LIMITS"
	CodeAccess    = "E-CONFIG-ACCESS"
	CodeFixed     = "E-CONFIG-NOT-RELOADABLE"
)

// Codes lists all codes, in the order of docs/errors.md.
func Codes() []string {
	return []string{CodeFile, CodeSyntax, CodeUnknown, CodeDuplicate, CodeType, CodeRange, CodeVariable, CodeURL, CodeAnonymous, CodeTLS, CodeExpiring,
		CodeInclude, CodeSecret, CodePort, CodeData, CodeLimits, CodeAccess, CodeFixed}
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
	// Warning: it works all the same.
	Warning bool
	// Mistake: a warning at a start, since it opens nothing, and an error for whoever checks the file.
	Mistake bool
	// Note: a warning that warns of nothing, but says what was asked for.
	Note bool

	excerpt string
	arg     string // the argument that File names
	unknown string // the key that there is not
}

// Severity is error, warning or note.
func (p Problem) Severity() string {
	switch {
	case p.Note:
		return "note"
	case p.Warning:
		return "warning"
	}
	return "error"
}

// Place is file:line:column, or the flag or variable with what it holds.
func (p Problem) Place() string {
	place := p.File
	if p.Line > 0 {
		place += fmt.Sprintf(":%d:%d", p.Line, p.Column)
	}
	if p.arg != "" {
		place += " " + p.arg
	}
	return place
}

// String formats the problem with its excerpt, without a newline at the end.
func (p Problem) String() string {
	var b strings.Builder
	if place := p.Place(); place != "" {
		b.WriteString(place + ": ")
	}
	if p.Warning {
		b.WriteString(p.Severity() + ": ")
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

// Error formats every problem with its excerpt, one after the other, and counts them.
func (ps Problems) Error() string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.String() + "\n")
	}
	return b.String() + ps.Count() + "."
}

// Count says how many there are, as 2 errors, 1 warning.
func (ps Problems) Count() string {
	var parts []string
	notes := 0
	for _, p := range ps {
		if p.Note {
			notes++
		}
	}
	errs, warnings := len(ps.Errors()), len(ps.Warnings())-notes
	for _, c := range []struct {
		n    int
		word string
	}{{errs, "error"}, {warnings, "warning"}, {notes, "note"}} {
		switch {
		case c.n == 1:
			parts = append(parts, "1 "+c.word)
		case c.n > 1 || c.word == "error" && warnings+notes == 0:
			parts = append(parts, fmt.Sprintf("%d %ss", c.n, c.word))
		}
	}
	return strings.Join(parts, ", ")
}

// Failed tells whether one of them is an error.
func (ps Problems) Failed() bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return !p.Warning })
}

// Errors are those that are errors.
func (ps Problems) Errors() (list Problems) { return ps.only(false) }

// Warnings are those that are warnings.
func (ps Problems) Warnings() (list Problems) { return ps.only(true) }

func (ps Problems) only(warning bool) (list Problems) {
	for _, p := range ps {
		if p.Warning == warning {
			list = append(list, p)
		}
	}
	return list
}

// Problem makes a problem at the place where a key such as roles.sensor[0] was written, or the nearest key above it.
func (c *Config) Problem(code, path, message string) Problem {
	at := origin{file: c.Source}
	if n := c.root.find(path); n != nil {
		at = n.at
	}
	return at.problem(code, path, message)
}

// At makes a problem at a place of the form file:line, or at the flag or the variable that it names.
func At(code, place, message string) Problem {
	p := Problem{Code: code, File: place, Message: message}
	if i := strings.LastIndexByte(place, ':'); i > 0 {
		if line, err := strconv.Atoi(place[i+1:]); err == nil {
			if p.File = place[:i]; line > 0 {
				p.Line, p.Column = line, 1
			}
		}
	}
	return p
}

// maxProblems is how many are reported of one configuration.
const maxProblems = 1000

// maxMessage is how long what is said of one may be, in bytes.
const maxMessage = 2 << 10

// Finish finds the place of problems of which only the key is known, sorts, drops repetitions, and adds excerpts in which
// no secret can be read.
func (c *Config) Finish(ps Problems) Problems {
	for i, p := range ps {
		if p.File == "" && p.Path != "" { // the key is known, and not yet where it is written
			at := c.Problem(p.Code, p.Path, p.Message)
			p.File, p.Line, p.Column, p.arg = at.File, at.Line, at.Column, at.arg
			ps[i] = p
		}
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(c.rank(a), c.rank(b)), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	ps = slices.CompactFunc(ps, func(a, b Problem) bool {
		return a.File == b.File && a.Line == b.Line && a.Column == b.Column && a.Message == b.Message && a.arg == b.arg
	})
	if n := len(ps); n > maxProblems {
		ps = append(ps[:maxProblems:maxProblems], Problem{Code: CodeSyntax, File: c.Source, Message: fmt.Sprintf("and %d more", n-maxProblems)})
	}
	var misspelled []string
	for _, p := range ps {
		if p.unknown != "" {
			misspelled = append(misspelled, p.unknown)
		}
	}
	veil := c.schema.veil(misspelled...)
	lines, raw := map[string][]string{}, map[string][]string{}
	for i := range ps {
		p := &ps[i]
		p.Message, p.arg = veil.url(p.Message), veil.argument(p.arg)
		if len(p.Message) > maxMessage { // a key of a megabyte
			p.Message = strings.ToValidUTF8(p.Message[:maxMessage], "") + "..."
		}
		at := slices.IndexFunc(c.sources, func(s source) bool { return s.path == p.File })
		if at < 0 || p.Line == 0 || p.excerpt != "" {
			continue
		}
		if lines[p.File] == nil {
			lines[p.File] = veil.file(c.sources[at].text)
			raw[p.File] = strings.Split(string(c.sources[at].text), "\n")
		}
		if p.Line <= len(lines[p.File]) {
			p.excerpt = excerpt(lines[p.File], p.Line, veil.column(raw[p.File][p.Line-1], lines[p.File][p.Line-1], p.Column))
		}
	}
	return ps
}

// rank puts the files, in the order of their reading, before the environment and that before the flags.
func (c *Config) rank(p Problem) int {
	if at := slices.IndexFunc(c.sources, func(s source) bool { return s.path == p.File }); at >= 0 {
		return at
	}
	if p.File == fromEnvironment {
		return maxFiles + 1
	}
	return maxFiles + 2
}

// maxShown is how much of a line is shown, in characters.
const maxShown = 160

// excerpt shows the line, up to two before it and a caret below the column.
func excerpt(lines []string, line, column int) string {
	var b strings.Builder
	for n := max(1, line-2); n <= line; n++ {
		mark := " "
		if n == line {
			mark = ">"
		}
		fmt.Fprintf(&b, "\n%s%3d | %s", mark, n, printable(lines[n-1]))
	}
	if column > maxShown { // the line is cut before it
		return b.String()
	}
	pad := strings.Repeat(" ", min(len(lines[line-1]), column-1))
	b.WriteString("\n       " + pad + "^")
	return b.String()
}

// printable keeps a line of the file to one line of at most 160 characters on a terminal.
func printable(line string) string {
	s := strings.Map(func(r rune) rune {
		if r == '\t' || r == '\r' || r == utf8.RuneError || r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.TrimRight(line, "\r"))
	if r := []rune(s); len(r) > maxShown {
		return string(r[:maxShown]) + "..."
	}
	return s
}

// plainError says in plain words what the system answered.
type plainError struct {
	verb string
	err  error
}

func (e plainError) Error() string {
	if e.err == nil {
		return e.verb
	}
	return e.verb + ": " + unreadable.Why(e.err)
}

func (e plainError) Unwrap() error { return e.err }
