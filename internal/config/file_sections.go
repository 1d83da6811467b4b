package config

import (
	"maps"
	"slices"
)

// LoadSections reads a file that holds some sections and nothing else, into the structures that are given by name. The
// error, if there is one, is a [Problems] without warnings.
func LoadSections(file string, environ []string, sections map[string]any) error {
	return loadSections(file, "", environ, sections)
}

// LoadList reads a file that holds one list, which may also stand below its name. A file without it is an error, which
// is a [Problems] without warnings.
func LoadList(file string, environ []string, name string, list any) error {
	return loadSections(file, name, environ, map[string]any{name: list})
}

func loadSections(file, list string, environ []string, sections map[string]any) error {
	c := &Config{Source: file, root: newMap(origin{})}
	a := assembly{disk: osDisk, list: list, environ: environ, names: map[string]origin{osDisk.same(file): {file: file, line: 1}}}
	if root := a.file(file, origin{}, nil); root != nil {
		c.root = root
	}
	if list != "" && c.root.child(list) == nil && len(a.problems) == 0 {
		a.problems = append(a.problems, Problem{Code: CodeFile, File: file, Line: 1, Column: 1, Message: "the file holds no list of " + list})
	}
	c.sources = a.sources
	c.schema = schema{config: c, sections: sections, environ: environ}
	problems := c.Finish(append(a.problems, c.schema.only(c.root)...))
	if problems.Failed() {
		return problems.Errors()
	}
	return nil
}

// only decodes the sections of a file that holds no others.
func (s schema) only(root *node) Problems {
	known := slices.Sorted(maps.Keys(s.sections))
	d := &decoder{environ: s.environ}
	for _, e := range root.keys {
		if _, ok := s.sections[e.key]; !ok {
			d.unknown(e, "", known)
		}
	}
	s.decodeSections(d, root)
	return d.problems
}
