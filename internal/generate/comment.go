package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
)

const module = "github.com/entrepot/entrepot"

// comments reads what the fields of a structure say about themselves, above or beside them, and what the structure says.
func comments(root string, t reflect.Type) (doc string, fields map[string]string, err error) {
	dir := filepath.Join(root, strings.TrimPrefix(t.PkgPath(), module))
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", nil, err
	}
	fields = map[string]string{}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, e.Name()), nil, parser.ParseComments)
		if err != nil {
			return "", nil, err
		}
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range g.Specs {
				ts, ok := s.(*ast.TypeSpec)
				if !ok || ts.Name.Name != t.Name() {
					continue
				}
				doc = oneLine(g.Doc.Text())
				if st, ok := ts.Type.(*ast.StructType); ok {
					fieldComments(st, fields)
				}
			}
		}
	}
	return doc, fields, nil
}

func fieldComments(st *ast.StructType, out map[string]string) {
	for _, f := range st.Fields.List {
		text := oneLine(f.Doc.Text() + " " + f.Comment.Text())
		for _, n := range f.Names {
			out[n.Name] = text
		}
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

var (
	saysDefault = regexp.MustCompile(`[Dd]efault:? ([^;()]+)`)
	wordDefault = regexp.MustCompile(`([a-z0-9_-]+) \(default[:)]?`)
	unit        = regexp.MustCompile(`^([0-9.,]+) ?(KiB|MiB|GiB|ms|s|min|m|h|d|B)?$`)
)

// candidates are the words of a comment that may be the default, the likeliest first.
func candidates(comment string) (list []string) {
	if m := wordDefault.FindStringSubmatch(comment); m != nil {
		list = append(list, m[1])
	}
	m := saysDefault.FindStringSubmatch(comment)
	if m == nil {
		return list
	}
	text := strings.TrimSuffix(strings.TrimSpace(m[1]), ".")
	list = append(list, text)
	for _, end := range []string{", ", ". ", " "} {
		if head, _, ok := strings.Cut(text, end); ok {
			list = append(list, strings.TrimSuffix(head, "."))
		}
	}
	words := strings.Fields(text)
	if len(words) > 1 && !strings.HasSuffix(words[0], ",") {
		if joined := strings.TrimSuffix(words[0]+words[1], ","); unit.MatchString(joined) { // 8 KiB, 30 min
			list = append([]string{joined}, list...)
		}
	}
	for i, c := range list {
		if u := unit.FindStringSubmatch(c); u != nil {
			list[i] = strings.ReplaceAll(u[1], ",", "") + strings.TrimSuffix(u[2], "in")
		}
	}
	return list
}
