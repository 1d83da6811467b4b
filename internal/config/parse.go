package config

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	goyaml "github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	maxDepth = 64      // of nested maps and lists
	maxNodes = 100_000 // after aliases are followed
	maxLines = 20_000
	maxKeys  = 5_000 // of one map in block style, for which the parser takes the square of their number
)

// byteOrderMark may stand before a document. YAML 1.2.2, section 5.2
var byteOrderMark = []byte("\ufeff")

// parse reads one YAML document. The tree is nil if the text is not YAML at all.
func parse(file string, text []byte) (*node, Problems) {
	root, _, problems := parseWithin(file, text, "", maxNodes)
	return root, problems
}

// parseWithin reads a document of at most so many values, and tells how many there were. list is the section that a
// document is which is a list; "": it may be none.
func parseWithin(file string, text []byte, list string, most int) (*node, int, Problems) {
	c := converter{file: file, list: list, most: most}
	root := c.parse(text)
	return root, c.nodes, c.problems
}

// parse reads the document.
func (c *converter) parse(text []byte) *node {
	c.anchors = map[string]ast.Node{}
	return c.document(text)
}

func (c *converter) document(text []byte) *node {
	file := c.file
	text = bytes.TrimPrefix(text, byteOrderMark)
	if !utf8.Valid(text) {
		c.problems = Problems{{Code: CodeSyntax, File: file, Line: 1 + c.shift, Column: 1, Message: "the file is not UTF-8 text"}}
		return nil
	}
	if line, of := crowded(text); line > 0 {
		c.problems = Problems{{Code: CodeSyntax, File: file, Line: line + c.shift, Column: 1, Message: of}}
		return nil
	}
	doc, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		p := syntaxProblem(file, err)
		p.Line += c.shift
		c.problems = Problems{p}
		return nil
	}
	root := newMap(origin{file: file, line: 1, column: 1})
	for i, d := range doc.Docs {
		if d.Body == nil {
			continue
		}
		if i > 0 {
			c.fail(d.Body, CodeSyntax, "a second document starts here; a configuration is one document")
			break
		}
		root = c.convert(d.Body, 0)
	}
	if root != nil && root.kind == kindList && c.list != "" {
		named := newMap(root.at)
		named.set(c.list, root)
		root = named
	}
	if root != nil && root.kind == kindNull {
		root.kind = kindMap
	}
	if root != nil && root.kind != kindMap {
		c.problems = append(c.problems, Problem{Code: CodeType, File: file, Line: root.at.line, Column: root.at.column,
			Message: "the file must hold sections such as listeners: and limits:, one key to a line"})
		return nil
	}
	return root
}

// crowded names the line at which a text has more than the parser takes in reasonable time, and what there is too much
// of; 0 if it has not. It goes by lines, indentation and brackets alone, so that it costs little.
func crowded(text []byte) (line int, of string) {
	var keys []struct{ indent, count int } // of the maps that are open, each deeper than the one before
	brackets := 0
	for len(text) > 0 {
		line++
		end := bytes.IndexAny(text, "\n\r") + 1
		if end == 0 {
			end = len(text)
		}
		this := text[:end]
		text = text[end:]
		rest := bytes.TrimLeft(this, " ")
		if line > maxLines {
			return line, fmt.Sprintf("more than %d lines", maxLines)
		}
		if len(bytes.TrimSpace(rest)) == 0 || rest[0] == '#' {
			continue
		}
		if brackets += opened(rest); brackets > maxDepth || bytes.Contains(rest, deepest) {
			return line, fmt.Sprintf("nested deeper than %d levels", maxDepth)
		}
		indent := len(this) - len(rest)
		for len(keys) > 0 && keys[len(keys)-1].indent > indent {
			keys = keys[:len(keys)-1]
		}
		if rest[0] == '-' {
			continue
		}
		if len(keys) == 0 || keys[len(keys)-1].indent < indent {
			keys = append(keys, struct{ indent, count int }{indent, 0})
		}
		if keys[len(keys)-1].count++; keys[len(keys)-1].count > maxKeys {
			return line, fmt.Sprintf("more than %d keys in one place", maxKeys)
		}
		if len(keys) > maxDepth {
			return line, fmt.Sprintf("nested deeper than %d levels", maxDepth)
		}
	}
	return 0, ""
}

var deepest = bytes.Repeat([]byte("- "), maxDepth)

// opened is how many brackets a line leaves open, quoted ones included; that many are never meant.
func opened(line []byte) (n int) {
	for _, c := range line {
		switch c {
		case '[', '{':
			n++
		case ']', '}':
			n--
		}
	}
	return n
}

var excess = regexp.MustCompile(`\s+`)

// syntaxProblem makes one line of the parser's own report, which holds an excerpt of its own.
func syntaxProblem(file string, err error) Problem {
	p := Problem{Code: CodeSyntax, File: file, Line: 1, Column: 1, Message: "the file is not valid YAML"}
	var se goyaml.Error
	if errors.As(err, &se) {
		p.Message = "not valid YAML: " + excess.ReplaceAllString(strings.ReplaceAll(se.GetMessage(), "character '\t'", "a tab"), " ")
		if t := se.GetToken(); t != nil && t.Position != nil {
			p.Line, p.Column = t.Position.Line, t.Position.Column
		}
	}
	return p
}

type converter struct {
	file     string
	list     string
	nodes    int
	most     int
	shift    int // lines of the file above the text
	anchors  map[string]ast.Node
	problems Problems
}

func (c *converter) at(n ast.Node) origin { return c.atToken(n.GetToken()) }

func (c *converter) atToken(t *token.Token) origin {
	o := origin{file: c.file, line: 1, column: 1}
	if t != nil && t.Position != nil {
		o.line, o.column = t.Position.Line+c.shift, t.Position.Column
	}
	return o
}

func (c *converter) fail(n ast.Node, code, message string) *node {
	at := c.at(n)
	c.problems = append(c.problems, Problem{Code: code, File: c.file, Line: at.line, Column: at.column, Message: message})
	return &node{at: at}
}

func (c *converter) convert(n ast.Node, depth int) *node {
	c.nodes++
	if depth > maxDepth {
		return c.fail(n, CodeSyntax, fmt.Sprintf("nested deeper than %d levels", maxDepth))
	}
	if c.nodes > c.most {
		if c.nodes == c.most+1 {
			return c.fail(n, CodeSyntax, fmt.Sprintf("more than %d values", maxNodes))
		}
		return &node{at: c.at(n)}
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		m := newMap(c.at(n))
		if len(n.Values) > 0 {
			m.at = c.atToken(n.Values[0].Key.GetToken())
		}
		seen := make(map[string]bool, len(n.Values))
		for _, v := range n.Values {
			c.entry(m, v, depth, seen)
		}
		return m
	case *ast.MappingValueNode:
		m := newMap(c.atToken(n.Key.GetToken()))
		c.entry(m, n, depth, map[string]bool{})
		return m
	case *ast.SequenceNode:
		l := &node{kind: kindList, at: c.at(n)}
		for _, v := range n.Values {
			l.items = append(l.items, c.convert(v, depth+1))
		}
		return l
	case *ast.AnchorNode:
		c.anchors[n.Name.GetToken().Value] = n.Value
		return c.convert(n.Value, depth+1)
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		to, ok := c.anchors[name]
		if !ok {
			return c.fail(n, CodeSyntax, fmt.Sprintf("alias *%s has no anchor &%s before it", name, name))
		}
		return c.convert(to, depth+1)
	case *ast.TagNode:
		return c.fail(n, CodeSyntax, "tags such as !!str are not used here; quote the value instead")
	default:
		return c.scalar(n)
	}
}

func (c *converter) entry(m *node, v *ast.MappingValueNode, depth int, seen map[string]bool) {
	at := c.atToken(v.Key.GetToken())
	if _, merge := v.Key.(*ast.MergeKeyNode); merge {
		c.fail(v.Key, CodeSyntax, "merge keys (<<) are not supported; write the keys out")
		return
	}
	key := v.Key.GetToken().Value
	if seen[key] {
		c.problems = append(c.problems, Problem{Code: CodeDuplicate, File: c.file, Line: at.line, Column: at.column,
			Message: fmt.Sprintf("key %q is given twice", key)})
		return
	}
	seen[key] = true
	value := c.convert(v.Value, depth+1)
	if value.kind == kindNull {
		value.at = at // an empty value has no place of its own
	}
	m.keys = append(m.keys, &entry{key: key, at: at, value: value})
}

func (c *converter) scalar(n ast.Node) *node {
	at := c.at(n)
	switch n := n.(type) {
	case *ast.NullNode:
		return &node{at: at}
	case *ast.StringNode:
		t := n.GetToken()
		return &node{kind: kindScalar, text: n.Value, at: at,
			quoted: t.Type == token.DoubleQuoteType || t.Type == token.SingleQuoteType}
	case *ast.LiteralNode:
		return &node{kind: kindScalar, text: n.Value.Value, quoted: true, at: at}
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return newScalar(strings.TrimSpace(n.GetToken().Value), at)
	default:
		return c.fail(n, CodeSyntax, "this is not a value")
	}
}
