package conformance

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// PageFile is where the page belongs.
const PageFile = "docs/conformance/mqtt.md"

const head = `# Conformance: MQTT

Made from the code by ` + "`make generate`" + `; do not edit. Every normative statement of MQTT 5.0 and 3.1.1 and every statement of entrepot
about MQTT, with the declarations whose comments cite it and the tests that are named for it. The words are ours, the standards' are what
counts. Statements that bind a client alone are listed without a line; entrepot's own client and the answers to a client that breaks them
are tested beside the server. The tests of a statement are those of ours that it links to, in the last table, and those that cite it
themselves. 3.1 has no numbered statements: it shares the code, and what differs is in [mqtt.md](../mqtt.md).
`

// Page renders the page.
func Page(f *Found) (string, error) {
	v5, v311, own, err := Lists()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(head)
	for _, part := range []struct {
		title string
		list  []Statement
	}{{"MQTT 5.0", v5}, {"MQTT 3.1.1", v311}} {
		fmt.Fprintf(&b, "\n## %s\n\n| Statement | In short | Obeyed by | Tests |\n|---|---|---|---|\n", part.title)
		for _, s := range part.list {
			by := links(f.Lines[s.ID])
			if by == "" && !s.Server() {
				by = "client"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", strings.TrimPrefix(s.ID, "3: "), s.Text, by, testsOf(f, &s))
		}
	}
	b.WriteString("\n## entrepot\n\n| Statement | In short | Tests |\n|---|---|---|\n")
	for _, s := range own {
		fmt.Fprintf(&b, "| <a id=%q></a>%s | %s | %s |\n", s.ID, s.ID, s.Text, links(f.Tests[s.ID]))
	}
	return b.String(), nil
}

// testsOf is the tests that cite a statement, and the statements of ours that
// hold it, whose tests are in the last table.
func testsOf(f *Found, s *Statement) string {
	var parts []string
	for _, h := range s.Held {
		parts = append(parts, fmt.Sprintf("[%s](#%s)", h, h))
	}
	if direct := links(f.Tests[s.ID]); direct != "" {
		parts = append(parts, direct)
	}
	return strings.Join(parts, ", ")
}

func links(at []Place) string {
	at = slices.Clone(at)
	slices.SortFunc(at, func(a, b Place) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Decl, b.Decl))
	})
	var out []string
	for _, p := range at {
		out = append(out, fmt.Sprintf("[%s](../../%s)", p.Decl, p.File))
	}
	return strings.Join(out, ", ")
}
