package conformance

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A Place is a declaration in a file of the repository.
type Place struct {
	File string // below the root, with slashes
	Decl string // function, method or type; "package" for the package comment
}

// Found is what the code says about statements, by their ID.
type Found struct {
	Lines map[string][]Place // citations outside of tests
	Tests map[string][]Place // tests named for the statement
}

// The server's folders: what their code cites counts.
var folders = []string{"adapters", "adapters/listen", "core", "core/topic", "internal/gateway", "mqtt", "mqtt/packet"}

var (
	citation = regexp.MustCompile(`\[((?:3: )?MQTT-[0-9.]+-[0-9]+)\]`)
	named    = regexp.MustCompile(`\bM[A-Z][0-9]+\b`)
	testName = regexp.MustCompile(`^(Test|Fuzz)`)
)

// Scan reads the code and the tests below root.
func Scan(root string) (*Found, error) {
	found := &Found{Lines: map[string][]Place{}, Tests: map[string][]Place{}}
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case e.IsDir() && rel != "." && (strings.HasPrefix(e.Name(), ".") || e.Name() == "testdata" || e.Name() == "node_modules"):
			return filepath.SkipDir
		case e.IsDir() || !strings.HasSuffix(rel, ".go"):
			return nil
		}
		test := strings.HasSuffix(rel, "_test.go")
		if !test && !slices.Contains(folders, path.Dir(rel)) {
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		if test {
			found.tests(rel, file)
		} else {
			found.lines(rel, fset, file)
		}
		return nil
	})
	return found, err
}

// lines notes the citations of a file with the declarations they stand in or
// above.
func (f *Found) lines(rel string, fset *token.FileSet, file *ast.File) {
	for _, group := range file.Comments {
		for _, c := range group.List {
			for _, m := range citation.FindAllStringSubmatch(c.Text, -1) {
				add(f.Lines, m[1], Place{rel, declAt(fset, file, c.Pos())})
			}
		}
	}
}

// tests notes the test functions of a file that name a statement.
func (f *Found) tests(rel string, file *ast.File) {
	for _, d := range file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv != nil || !testName.MatchString(fn.Name.Name) {
			continue
		}
		at := Place{rel, fn.Name.Name}
		for _, id := range named.FindAllString(strings.ReplaceAll(fn.Name.Name, "_", " "), -1) {
			add(f.Tests, id, at)
		}
		for _, id := range named.FindAllString(fn.Doc.Text(), -1) {
			add(f.Tests, id, at)
		}
		for _, m := range citation.FindAllStringSubmatch(fn.Doc.Text(), -1) {
			add(f.Tests, m[1], at)
		}
	}
}

func add(m map[string][]Place, id string, at Place) {
	if !slices.Contains(m[id], at) {
		m[id] = append(m[id], at)
	}
}

// declAt names the declaration that a comment belongs to: the one that it
// stands in, above as its doc comment, or behind on the last line.
func declAt(fset *token.FileSet, file *ast.File, pos token.Pos) string {
	if pos < file.Package {
		return "package"
	}
	line := fset.Position(pos).Line
	for _, d := range file.Decls {
		from := d.Pos()
		if doc := docOf(d); doc != nil {
			from = doc.Pos()
		}
		if pos >= from && (pos <= d.End() || line == fset.Position(d.End()).Line) {
			return nameOf(d, pos)
		}
	}
	return "file"
}

func docOf(d ast.Decl) *ast.CommentGroup {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return d.Doc
	case *ast.GenDecl:
		return d.Doc
	}
	return nil
}

// nameOf names a declaration; of a group the one that pos belongs to.
func nameOf(d ast.Decl, pos token.Pos) string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return receiver(d) + d.Name.Name
	case *ast.GenDecl:
		name := "file"
		for _, s := range d.Specs {
			if name != "file" && s.Pos() > pos {
				break
			}
			switch s := s.(type) {
			case *ast.TypeSpec:
				name = s.Name.Name
			case *ast.ValueSpec:
				name = s.Names[0].Name
			}
		}
		return name
	}
	return "file"
}

func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return id.Name + "."
	}
	return ""
}
