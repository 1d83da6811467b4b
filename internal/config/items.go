package config

import (
	"bytes"
	"fmt"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
)

// MaxItems bounds a file of [LoadItems], in bytes.
const MaxItems = 64 << 20

// chunkItems is how many elements of a long list are parsed at once.
const chunkItems = 500

// Items says how [LoadItems] reads.
type Items struct {
	Name    string   // the key that the list stands below
	Environ []string // NAME=value pairs for ${NAME}
	Raw     bool     // nothing is expanded: the file is to be written again
}

// LoadItems reads a file that holds one list below its name and nothing else: of up to 1 MiB in any style of YAML, of up to
// 64 MiB with a line that begins with - for each element, which is parsed in pieces. A file without the list, such as an
// empty one, is an error: it may be what is left of one that could not be written. The error is a [Problems].
func LoadItems[T any](file string, o Items) ([]T, error) {
	text, err := readUpTo(file, MaxItems)
	if err != nil {
		return nil, Problems{{Code: CodeFile, File: file, Message: err.Error()}}
	}
	r := &itemReader{file: file, Items: o}
	if len(text) <= maxFile && bytes.Count(text, []byte("\n")) < maxLines {
		r.short(text)
	} else {
		r.long(text)
	}
	decoded := make([]decodedItems[T], len(r.pieces))
	var next atomic.Int64
	var working sync.WaitGroup
	for range min(len(r.pieces), runtime.GOMAXPROCS(0)) {
		working.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(r.pieces); i = int(next.Add(1)) - 1 {
				decoded[i] = decodeItems[T](r, r.pieces[i])
			}
		})
	}
	working.Wait()
	list := make([]T, 0, r.read)
	problems := r.problems
	for _, d := range decoded {
		list = append(list, d.list...)
		problems = append(problems, d.problems...)
	}
	if len(problems) == 0 {
		return list, nil
	}
	c := &Config{Source: file, root: newMap(origin{}), sources: []source{{path: file}}}
	if len(text) <= maxFile {
		c.sources[0].text = text // for excerpts
	}
	if problems = c.Finish(problems); problems.Failed() {
		return nil, problems.Errors()
	}
	return list, nil
}

// itemReader finds the elements of one file.
type itemReader struct {
	Items
	file     string
	pieces   []itemPiece
	read     int // elements, of which each piece has some
	problems Problems
}

// itemPiece is some elements of the list.
type itemPiece struct {
	first int    // the index of the first one
	list  *node  // nil: still to be parsed
	text  []byte // from the line of the first one on
	line  int
}

// decodedItems are the elements of a piece.
type decodedItems[T any] struct {
	list     []T
	problems Problems
}

func decodeItems[T any](r *itemReader, p itemPiece) (out decodedItems[T]) {
	list := p.list
	if list == nil {
		const above = 1 // the line that is put before them
		c := converter{file: r.file, most: maxNodes, shift: p.line - 1 - above}
		root := c.parse(append([]byte(r.Name+":\n"), p.text...))
		out.problems = c.problems
		if list = root.child(r.Name); list == nil || out.problems.Failed() {
			return out
		}
	}
	if !r.Raw {
		out.problems = append(out.problems, expand(list, r.Environ)...)
	}
	d := &decoder{environ: r.Environ}
	for i, n := range list.items {
		var v T
		d.value(n, reflect.ValueOf(&v).Elem(), "", fmt.Sprintf("%s[%d]", r.Name, p.first+i))
		out.list = append(out.list, v)
	}
	out.problems = append(out.problems, d.problems...)
	if len(out.problems) > maxProblems {
		out.problems = out.problems[:maxProblems]
	}
	return out
}

func (r *itemReader) fail(line int, code, format string, args ...any) *Problem {
	r.problems = append(r.problems, origin{file: r.file, line: line, column: 1}.problem(code, r.Name, fmt.Sprintf(format, args...)))
	return &r.problems[len(r.problems)-1]
}

// short reads a file of which YAML makes what it likes.
func (r *itemReader) short(text []byte) {
	root, _, problems := parseWithin(r.file, text, r.Name, maxNodes)
	r.problems = append(r.problems, problems...)
	if root == nil || problems.Failed() {
		return
	}
	d := &decoder{}
	for _, e := range root.keys {
		switch {
		case e.key == "include":
			r.fail(e.at.line, CodeInclude, "a file of %s includes no others", r.Name).Hint = "put all of them into one file"
		case e.key != r.Name:
			d.unknown(e, "", []string{r.Name})
		}
	}
	r.problems = append(r.problems, d.problems...)
	switch list := root.child(r.Name); {
	case list == nil || list.kind == kindNull:
		r.none()
	case list.kind != kindList:
		r.problems = append(r.problems, list.at.problem(CodeType, r.Name, fmt.Sprintf("%s is a list, not %s", r.Name, list.describe())))
	default:
		r.pieces, r.read = []itemPiece{{list: list}}, len(list.items)
	}
}

func (r *itemReader) none() {
	r.fail(1, CodeFile, "the file holds no list of %s", r.Name).Hint = "an empty one is written " + r.Name + ": []"
}

// long cuts a file into pieces of some elements each. Where they begin its lines and their indentation tell: what belongs to
// an element is indented deeper than its dash.
func (r *itemReader) long(text []byte) {
	const long = "a file of more than 1 MiB or 20,000 lines "
	named, dash, begin := false, -1, 0 // dash: the indentation of the elements; begin: of the piece, in text
	end := func(at int) bool {
		if len(r.pieces) == 0 {
			return true
		}
		p := &r.pieces[len(r.pieces)-1]
		if p.text = text[begin:at]; len(p.text) > maxFile {
			r.fail(p.line, CodeSyntax, "%d elements of %s from here on have more than 1 MiB", r.read-p.first, r.Name)
			return false
		}
		return true
	}
	for line, at, next := 1, 0, 0; at < len(text); line, at = line+1, next {
		if next = at + bytes.IndexByte(text[at:], '\n') + 1; next == at {
			next = len(text)
		}
		rest := bytes.TrimLeft(text[at:next], " ")
		indent := next - at - len(rest)
		word := bytes.TrimSpace(rest)
		switch {
		case len(word) == 0 || word[0] == '#':
		case !named && string(word) == "---":
		case !named && indent == 0 && opensList(word, r.Name):
			named = true
		case !named:
			r.fail(line, CodeSyntax, long+"begins with the line %s:", r.Name)
			return
		case dash >= 0 && indent > dash:
		case (dash < 0 || indent == dash) && (string(word) == "-" || bytes.HasPrefix(word, []byte("- "))):
			dash = indent
			if n := len(r.pieces); n == 0 || r.read-r.pieces[n-1].first == chunkItems {
				if !end(at) {
					return
				}
				r.pieces, begin = append(r.pieces, itemPiece{first: r.read, line: line}), at
			}
			r.read++
		case indent == 0 && dash >= 0:
			r.fail(line, CodeUnknown, "the file holds %s and nothing else", r.Name)
			return
		default:
			r.fail(line, CodeSyntax, long+"has a line that begins with - for each element of %s", r.Name)
			return
		}
	}
	if end(len(text)) && r.read == 0 {
		r.none()
	}
}

// opensList tells that a line is the name and a colon, with nothing behind but a comment.
func opensList(line []byte, name string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(name+":"))
	rest = bytes.TrimSpace(rest)
	return ok && (len(rest) == 0 || rest[0] == '#')
}
