package config

import (
	"maps"
	"slices"
)

// LoadSections reads a file that holds some sections and nothing else, into the structures that are given by name. The
// error, if there is one, is a [Problems].
func LoadSections(file string, environ []string, sections map[string]any) error {
	text, err := readFile(file)
	if err != nil {
		return Problems{{Code: CodeFile, File: file, Message: err.Error()}}
	}
	root, problems := parse(file, text)
	if root != nil {
		problems = append(problems, expand(root, environ)...)
		problems = append(problems, only(root, sections)...)
	}
	if len(problems) == 0 {
		return nil
	}
	problems.finish(file, text)
	return problems
}

// only decodes the sections of a file that holds no others.
func only(root *node, sections map[string]any) Problems {
	known := slices.Sorted(maps.Keys(sections))
	d := &decoder{}
	for _, e := range root.keys {
		if _, ok := sections[e.key]; !ok {
			d.unknown(e, "", known)
		}
	}
	schema{sections: sections}.decodeSections(d, root)
	return d.problems
}
