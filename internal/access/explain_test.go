package access

import (
	"strings"
	"testing"

	"github.com/entrepot/entrepot/core"
)

func TestSecurity_Z14_WhatARoleThatReadsEverythingExposes(t *testing.T) {
	s, _, err := settings(t, `
roles:
  ops: ["sub #", "deny sub secret/#", "deny pub x"]
  app: ["pubsub a/#", "pub #"]
`)
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(s.Exposed(), "\n")
	if !strings.Contains(notes, "entrepot.yaml:3: role \"ops\" reads whatever is published") || !strings.HasSuffix(notes, "(sub #), but not secret/#") || strings.Contains(notes, "app") {
		t.Errorf("%q", notes)
	}
	if s, _, _ := settings(t, ""); len(s.Exposed()) != 0 {
		t.Error("without configuration nothing is pointed out")
	}
}

func TestSecurity_Z15_ExplainDecidesAsTheControlDoes(t *testing.T) {
	const text = `
roles: {r: ["pub dev/{client}/#", "deny retain dev/#"], anonymous: ["sub public/#"]}
users: [{name: gw1, role: [r], client_ids: ["gw1-*"], password: none}]
`
	s, sections, err := settings(t, text)
	if err != nil {
		t.Fatal(err)
	}
	c, _, problems := New(Options{Sections: sections})
	if problems.Failed() {
		t.Fatal(problems)
	}
	c.Use(s, nil)
	for _, user := range []string{"gw1", "anonymous"} {
		p, err := s.Who(user, "gw1-a", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range []core.Action{core.ActionPublish, core.ActionRetain, core.ActionWill, core.ActionSubscribe, core.ActionShare, core.ActionDeliver, core.ActionQueue} {
			for _, name := range []string{"dev/gw1-a/t", "dev/gw1-b/t", "public/x", "other"} {
				if e := s.Explain(p, a, name); e.Allowed != c.Authorize(p, a, name) {
					t.Errorf("%s, action %d on %s: explained as %v", user, a, name, e.Allowed)
				}
			}
		}
	}
}
