package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Bounds of what include may pull in.
const (
	maxIncludeDepth = 8
	maxFiles        = 256
	maxBytes        = 4 << 20 // of all files
)

// A source is one file that was read, in the order of reading.
type source struct {
	path string
	text []byte
	by   origin // where it is named; zero for the first
}

// disk is where files come from; the fuzz target has another.
type disk struct {
	read func(path string) ([]byte, error)
	glob func(pattern string) ([]string, error)
	// same makes one name of all names of a file.
	same func(path string) string
}

var osDisk = disk{read: readFile, glob: filepath.Glob, same: realPath}

// realPath follows links, so that a circle of links is seen too.
func realPath(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// assembly is the tree of a file and of all that it includes.
type assembly struct {
	disk     disk
	environ  []string
	list     string // the section that a file is which is a list; "": none may be one
	sources  []source
	names    map[string]origin // by real path: where the file was first named
	bytes    int
	nodes    int
	problems Problems
}

// file reads one file with its includes; nil if it cannot be read at all. open are the real paths of the files that lead here.
func (a *assembly) file(path string, by origin, open []string) *node {
	text, err := a.disk.read(path)
	if err != nil {
		if by.line == 0 {
			a.problems = append(a.problems, Problem{Code: CodeFile, File: path, Message: err.Error()})
		} else {
			a.refuse(by, path+" "+err.Error())
		}
		return nil
	}
	if a.bytes += len(text); a.bytes > maxBytes {
		a.refuse(by, fmt.Sprintf("the files are larger than %s together", Size(maxBytes)))
		return nil
	}
	a.sources = append(a.sources, source{path: path, text: text, by: by})
	root, nodes, problems := parseWithin(path, text, a.list, maxNodes-a.nodes)
	a.nodes += nodes
	a.problems = append(a.problems, problems...)
	if root == nil {
		return nil
	}
	a.problems = append(a.problems, expand(root, a.environ)...)
	patterns := root.take("include")
	open = append(slices.Clip(open), a.disk.same(path))
	for _, n := range a.patterns(patterns) {
		for _, name := range a.matches(path, n) {
			if !a.enter(name, n.at, open) {
				continue
			}
			if more := a.file(name, n.at, open); more != nil {
				a.merge(root, more, "")
			}
		}
	}
	return root
}

func (a *assembly) refuse(at origin, message string) *Problem {
	a.problems = append(a.problems, at.problem(CodeInclude, "include", message))
	return &a.problems[len(a.problems)-1]
}

// patterns are the words of include, one or a list.
func (a *assembly) patterns(n *node) (words []*node) {
	if n == nil || n.kind == kindNull {
		return nil
	}
	items := n.items
	if n.kind != kindList {
		items = []*node{n}
	}
	for _, i := range items {
		if i.kind != kindScalar || i.text == "" {
			a.refuse(i.at, "include lists files, not "+i.describe()).Hint = "write include: [conf.d/*.yaml]"
			continue
		}
		words = append(words, i)
	}
	return words
}

// matches are the files of a pattern, sorted. A pattern without * ? [ names a file that must be there.
func (a *assembly) matches(path string, n *node) []string {
	pattern := string(n.at.settle(File(n.text)))
	if !strings.ContainsAny(n.text, "*?[") {
		return []string{pattern}
	}
	list, err := a.disk.glob(pattern)
	if err != nil {
		a.refuse(n.at, fmt.Sprintf("%q is no pattern of file names", clip(n.text)))
	}
	slices.Sort(list)
	return list
}

// enter tells whether a file may be read now: once, not from within itself, and not too deep.
func (a *assembly) enter(path string, at origin, open []string) bool {
	real := a.disk.same(path)
	first, known := a.names[real]
	switch {
	case slices.Contains(open, real):
		a.refuse(at, path+" includes itself").Hint = "a file is included by one other alone"
	case known:
		a.refuse(at, fmt.Sprintf("%s is included twice, first at %s", path, first))
	case len(open) > maxIncludeDepth:
		a.refuse(at, fmt.Sprintf("include leads deeper than %d files", maxIncludeDepth))
	case len(a.names) >= maxFiles:
		a.refuse(at, fmt.Sprintf("more than %d files are included", maxFiles))
	default:
		a.names[real] = at
		return true
	}
	return false
}

// merge adds the keys of another file: maps merge, lists append, and nothing overrides.
func (a *assembly) merge(to, from *node, path string) {
	for _, e := range from.keys {
		name := strings.TrimPrefix(path+"."+e.key, ".")
		have := to.child(e.key)
		switch {
		case have == nil:
			to.keys = append(to.keys, e)
		case e.value.kind == kindNull:
		case have.kind == kindNull:
			to.set(e.key, e.value)
		case have.kind == kindMap && e.value.kind == kindMap:
			a.merge(have, e.value, name)
		case have.kind == kindList && e.value.kind == kindList:
			have.items = append(have.items, e.value.items...)
		default:
			p := e.at.problem(CodeDuplicate, name, fmt.Sprintf("%s is given twice, also at %s", name, have.at))
			p.Hint = "an included file adds keys and elements of lists, it overrides none"
			a.problems = append(a.problems, p)
		}
	}
}

// take removes a key of a map and returns its value.
func (n *node) take(key string) (value *node) {
	n.keys = slices.DeleteFunc(n.keys, func(e *entry) bool {
		if e.key == key {
			value = e.value
		}
		return e.key == key
	})
	return value
}

// String names the place: file:line, or the flag or variable.
func (o origin) String() string {
	switch {
	case o.line > 0:
		return fmt.Sprintf("%s:%d", o.file, o.line)
	case o.file == fromEnvironment:
		return o.text
	case o.file != "":
		return o.file
	}
	return "default"
}

// readFile returns the file's content, or an error without Go's own words in it.
func readFile(path string) ([]byte, error) { return readUpTo(path, maxFile) }

func readUpTo(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, plainError{verb: "cannot be read", err: err}
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, plainError{verb: "is a directory; name a file such as " + filepath.Join(path, "entrepot.yaml")}
	}
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, plainError{verb: "cannot be read", err: err}
	}
	if int64(len(b)) > most {
		return nil, plainError{verb: fmt.Sprintf("is larger than %d MiB", most>>20)}
	}
	return b, nil
}
