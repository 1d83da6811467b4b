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
	testName = regexp.MustCompile(`^Test(?:[A-Za-z0-9]+)?_.*`)
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
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		if test {
			found.tests(rel, file)
		} else {
			found.lines(rel, file)
		}
		return nil
	})
	return found, err
}

// lines notes the citations of a file with the declarations they stand in or
// above.
func (f *Found) lines(rel string, file *ast.File) {
	for _, group := range file.Comments {
		for _, c := range group.List {
			for _, m := range citation.FindAllStringSubmatch(c.Text, -1) {
				add(f.Lines, m[1], Place{rel, declAt(file, c.Pos())})
			}
		}
	}
}

// tests notes the test functions of a file that name a statement.
func (f *Found) tests(rel string, file *ast.File) {
	for _, d := range file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv != nil || !testName.MatchString(fn.Name.Name) && !strings.HasPrefix(fn.Name.Name, "Fuzz") {
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

// declAt names the declaration that a comment belongs to.
func declAt(file *ast.File, pos token.Pos) string {
	if pos < file.Package {
		return "package"
	}
	for _, d := range file.Decls {
		from := d.Pos()
		if doc := docOf(d); doc != nil {
			from = doc.Pos()
		}
		if pos < from || pos > d.End()+200 { // a comment may stand behind the last line
			continue
		}
		if pos <= d.End() || onLastLine(file, d, pos) {
			return nameOf(d)
		}
	}
	return "file"
}

// onLastLine tells that a comment at pos follows d before anything else does.
func onLastLine(file *ast.File, d ast.Decl, pos token.Pos) bool {
	for _, other := range file.Decls {
		if other.Pos() > d.End() && other.Pos() < pos {
			return false
		}
	}
	for _, c := range file.Comments {
		if c.Pos() == pos {
			return pos-d.End() <= 2
		}
	}
	return false
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

func nameOf(d ast.Decl) string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			return d.Name.Name
		}
		t := d.Recv.List[0].Type
		if star, ok := t.(*ast.StarExpr); ok {
			t = star.X
		}
		if id, ok := t.(*ast.Ident); ok {
			return id.Name + "." + d.Name.Name
		}
		return d.Name.Name
	case *ast.GenDecl:
		if len(d.Specs) > 0 {
			switch s := d.Specs[0].(type) {
			case *ast.TypeSpec:
				return s.Name.Name
			case *ast.ValueSpec:
				return s.Names[0].Name
			}
		}
	}
	return "file"
}
