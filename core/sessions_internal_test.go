package core

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Sessions whose keys have the same hash are still told apart, whichever comes
// or goes first.
func TestSessionsOfOneHashAreToldApart(t *testing.T) {
	who := [...]*Principal{{User: "u"}, {User: "v"}}
	made := func(user int, client string) *session {
		st := &session{client: client}
		st.principal.Store(who[user])
		return st
	}
	for order := range 6 {
		var x sessions
		all := []*session{made(0, "a"), made(1, "a"), made(0, "b")}
		for _, st := range all {
			x.putAt(7, st.key(), st)
		}
		if order%2 == 1 {
			slices.Reverse(all)
		}
		for n := range all {
			st := all[(n+order)%3]
			if x.len() != 3-n || x.getAt(7, st.key()) != st || x.getAt(7, sessionKey{"w", "a"}) != nil {
				t.Fatalf("%d: not what was put", order)
			}
			x.removeAt(7, st.key())
			x.removeAt(7, st.key())
			if x.getAt(7, st.key()) != nil {
				t.Fatalf("%d: still there", order)
			}
			var rest []string
			for st := range x.all() {
				rest = append(rest, fmt.Sprint(st.key()))
			}
			if len(rest) != 2-n {
				t.Fatalf("%d: %s are left", order, strings.Join(rest, " "))
			}
		}
	}
}
