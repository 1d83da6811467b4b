package acl

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/topic"
)

func rules(t testing.TB, lines ...string) []Rule {
	t.Helper()
	all := make([]Rule, len(lines))
	for i, text := range lines {
		var err error
		if all[i], err = Parse(text); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	}
	return all
}

func TestRulesAreParsed(t *testing.T) {
	for _, c := range []struct {
		text, want string // want: the error's beginning; "" for none
	}{
		{"pub a/b", ""}, {"pub,sub a/#", ""}, {"pubsub {client}/+/{attr.site}", ""}, {"deny retain,will #", ""},
		{"deny share a/#", ""}, {"queue orders", ""}, {"admin operator", ""}, {"deny admin admin", ""}, {"pub a b/c", ""},
		{"", "a rule is"}, {"pub", "a rule is"}, {"deny pub", "a rule is"}, {"publish a", `"publish" is no verb`},
		{"retain a", "pub includes retain"}, {"will a", "pub includes will"}, {"share a", "sub includes share"},
		{"pub a#", `"a#" is no topic filter`}, {"pub #/a", `"#/a" is no topic filter`}, {"pub a{client}", `"a{client}": a placeholder`},
		{"pub {attr.}", `"{attr.}": a placeholder`}, {"admin root", "admin is followed by"}, {"admin viewer x", "admin is followed by"},
	} {
		_, err := Parse(c.text)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%q: %v", c.text, err)
		case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)):
			t.Errorf("%q: got %v, want %s", c.text, err, c.want)
		}
	}
	if r, _ := Parse("pub a b/c"); r.Filter.String() != "a b/c" {
		t.Errorf("a filter with a blank is %q", r.Filter)
	}
}

func TestSecurity_Z1_DefaultDenyAndDenyBeatsAllow(t *testing.T) {
	v := &Values{User: "u"}
	for _, c := range []struct {
		rules  string
		action core.Action
		name   string
		want   bool
	}{
		{"", core.ActionPublish, "a", false},
		{"pub a", core.ActionPublish, "a", true},
		{"pub a", core.ActionDeliver, "a", false},
		{"pub a; deny pub a", core.ActionPublish, "a", false},
		{"deny pub a/b; pub a/#", core.ActionPublish, "a/b", false},
		{"deny pub a/b; pub a/#", core.ActionPublish, "a/c", true},
		{"pub a/#", core.ActionPublish, "a", true},
		{"pub #; deny retain a/#", core.ActionRetain, "a/b", false},
		{"pub #; deny retain a/#", core.ActionPublish, "a/b", true},
		{"pub #; deny will a/#", core.ActionWill, "a/b", false},
		{"pub #", core.ActionWill, "a/b", true},
		{"sub #; deny share a/#", core.ActionShare, "a/b", false},
		{"sub #; deny share a/#", core.ActionShare, "#", false},
		{"sub #; deny share a/#", core.ActionShare, "b/#", true},
		{"sub #; deny share a/#", core.ActionSubscribe, "a/#", true},
		{"queue jobs/+", core.ActionQueue, "jobs/1", true},
		{"queue jobs/+", core.ActionPublish, "jobs/1", false},
	} {
		s := newSet(rules(t, split(c.rules)...), false)
		if got := s.Allows(v, c.action, c.name); got != c.want {
			t.Errorf("%q, action %d on %q: %v", c.rules, c.action, c.name, got)
		}
		if e := s.Explain(v, c.action, c.name); e.Allowed != c.want || (e.Decisive == nil) != (len(e.Matches) == 0) {
			t.Errorf("%q, action %d on %q: explained as %+v", c.rules, c.action, c.name, e)
		}
	}
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "; ")
}

func TestSecurity_Z2_DollarTopicsAreGrantedByName(t *testing.T) {
	v := &Values{User: "u"}
	s := newSet(rules(t, "pubsub #", "sub +/broker"), false)
	for _, name := range []string{"$SYS/broker", "$queue/jobs"} {
		if s.Allows(v, core.ActionDeliver, name) || s.Allows(v, core.ActionSubscribe, name) {
			t.Errorf("# grants %s", name)
		}
	}
	s = newSet(rules(t, "sub $SYS/#"), false)
	if !s.Allows(v, core.ActionSubscribe, "$SYS/#") || !s.Allows(v, core.ActionDeliver, "$SYS/x/y") || s.Allows(v, core.ActionDeliver, "SYS/x") {
		t.Error("$SYS/# by name")
	}
}

func TestSecurity_Z4_ASubscriptionIsASubsetOfOneAllowedFilter(t *testing.T) {
	v := &Values{User: "u"}
	for _, c := range []struct {
		rules, filter     string
		subset, intersect bool
	}{
		{"sub a/#", "a/#", true, true},
		{"sub a/#", "a/+", true, true},
		{"sub a/#", "a/+/b/#", true, true},
		{"sub a/#", "a", true, true},
		{"sub a/#", "#", false, true},
		{"sub a/#", "+/b", false, true},
		{"sub a/+", "a/#", false, true},
		{"sub a/+/#", "a/#", false, true},
		{"sub a/b; sub a/c", "a/+", false, true},
		{"sub b/#", "a/#", false, false},
		{"sub #; deny sub a/secret/#", "a/#", true, true},
		{"sub #; deny sub a/secret/#", "a/secret/x", false, false},
		{"sub #; deny sub a/secret/#", "a/secret/#", false, false},
		{"sub #", "$SYS/#", false, false},
		{"sub #", "+/+", true, true},
		{"sub a/#", "a/#/b", true, true}, // wide, of AMQP
		{"sub a/+", "a/#/b", false, true},
	} {
		for intersect, want := range map[bool]bool{false: c.subset, true: c.intersect} {
			s := newSet(rules(t, split(c.rules)...), intersect)
			if got := s.Allows(v, core.ActionSubscribe, c.filter); got != want {
				t.Errorf("%q, %s (intersect %v): %v", c.rules, c.filter, intersect, got)
			}
		}
	}
}

func TestSecurity_S5_PlaceholdersAreOneLiteralLevel(t *testing.T) {
	s := newSet(rules(t, "pub dev/{client}/#", "sub u/{user}", "pub {ns}/x", "pub site/{attr.site}"), false)
	own := &Values{Client: "c1", User: "u1", Namespace: "plant", Attrs: map[string]string{"site": "north"}}
	for _, c := range []struct {
		v      *Values
		action core.Action
		name   string
		want   bool
	}{
		{own, core.ActionPublish, "dev/c1/t", true},
		{own, core.ActionPublish, "dev/c2/t", false},
		{own, core.ActionSubscribe, "u/u1", true},
		{own, core.ActionSubscribe, "u/+", false},
		{own, core.ActionPublish, "plant/x", true},
		{own, core.ActionPublish, "site/north", true},
		{own, core.ActionPublish, "site/south", false},
		{&Values{Client: "+"}, core.ActionPublish, "dev/x/t", false},
		{&Values{Client: "#"}, core.ActionPublish, "dev/#", false},
		{&Values{Client: "a/b"}, core.ActionPublish, "dev/a/b", false},
		{&Values{Client: "+", User: "+"}, core.ActionSubscribe, "u/+", false},
		{&Values{User: "#"}, core.ActionSubscribe, "u/#", false},
		{&Values{Namespace: "$SYS"}, core.ActionPublish, "$SYS/x", false},
		{&Values{}, core.ActionPublish, "dev//t", false},
		{&Values{Client: "{user}", User: "x"}, core.ActionPublish, "dev/x/t", false},
		{&Values{Client: ".*"}, core.ActionPublish, "dev/x/t", false},
	} {
		if got := s.Allows(c.v, c.action, c.name); got != c.want {
			t.Errorf("%+v, action %d on %q: %v", c.v, c.action, c.name, got)
		}
	}
	if s.Unfit(own) != "" || s.Unfit(&Values{Client: "a/b"}) != "client identifier" || s.Unfit(&Values{User: "$x"}) != "user name" {
		t.Error("values that cannot be a level are not named")
	}
	if newSet(rules(t, "pub #"), false).Unfit(&Values{Client: "a/b"}) != "" {
		t.Error("a value that no rule substitutes is refused")
	}
}

func TestAdminLevels(t *testing.T) {
	for text, want := range map[string]Level{
		"": None, "pub #": None, "admin viewer": Viewer, "admin viewer; admin admin": Admin, "admin admin; deny admin operator": Viewer,
		"admin admin; deny admin viewer": None,
	} {
		if got := newSet(rules(t, split(text)...), false).Level(); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// naive decides as the page says, rule by rule.
func naive(rs []Rule, v *Values, a core.Action, name string) bool {
	n, allowed, denied := needs[a], false, false
	for _, r := range rs {
		text, ok := r.Filter.fill(v)
		if !ok || !topic.Covers(text, name) {
			continue
		}
		allowed = allowed || !r.Deny && r.Verbs&n.allow != 0
		denied = denied || r.Deny && r.Verbs&n.deny != 0
	}
	return allowed && !denied
}

var word = rapid.SampledFrom([]string{"a", "b", "", "+", "$x", "c1"})

func drawRules(t *rapid.T) []Rule {
	var rs []Rule
	for range rapid.IntRange(1, 12).Draw(t, "rules") {
		verb := rapid.SampledFrom([]string{"pub", "sub", "pubsub", "deny pub", "deny sub", "deny retain", "deny pubsub"}).Draw(t, "verb")
		levels := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "", "+", "$x", "{client}", "{user}"}), 1, 4).Draw(t, "levels")
		filter := strings.Join(levels, "/")
		if rapid.Bool().Draw(t, "hash") {
			filter += "/#"
		}
		if r, err := Parse(verb + " " + filter); err == nil {
			rs = append(rs, r)
		}
	}
	return rs
}

func TestTheTreeDecidesAsTheRulesSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rs := drawRules(t)
		v := &Values{Client: rapid.SampledFrom([]string{"", "c1", "a/b", "+"}).Draw(t, "client"), User: "a"}
		s := newSet(rs, false)
		levels := rapid.SliceOfN(word, 1, 5).Draw(t, "name")
		name := strings.Join(levels, "/")
		action := rapid.SampledFrom([]core.Action{core.ActionPublish, core.ActionRetain, core.ActionDeliver, core.ActionSubscribe}).Draw(t, "action")
		if action == core.ActionSubscribe {
			if rapid.Bool().Draw(t, "wild") {
				name += "/#"
			}
		} else {
			name = strings.ReplaceAll(name, "+", "p")
		}
		if name == "" {
			return
		}
		if got, want := s.Allows(v, action, name), naive(rs, v, action, name); got != want {
			t.Fatalf("%v, action %d on %q: %v, the rules say %v", rs, action, name, got, want)
		}
		e := s.Explain(v, action, name)
		if e.Allowed != naive(rs, v, action, name) || e.Decisive != nil && e.Decisive.Rule.Deny == e.Allowed {
			t.Fatalf("explained as %+v", e)
		}
	})
}

func TestSecurity_S6_TheOrderOfRulesChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rs := drawRules(t)
		v := &Values{Client: "c1", User: "a"}
		name := strings.ReplaceAll(strings.Join(rapid.SliceOfN(word, 1, 4).Draw(t, "name"), "/"), "+", "p")
		before := newSet(rs, false).Allows(v, core.ActionPublish, name)
		shuffled := append([]Rule(nil), rs...)
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if newSet(shuffled, false).Allows(v, core.ActionPublish, name) != before {
			t.Fatalf("%v and %v differ on %q", rs, shuffled, name)
		}
	})
}

func TestAFreeFilterHidesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rs := drawRules(t)
		v := &Values{Client: "c1", User: "a"}
		s := newSet(rs, false)
		filter := strings.Join(rapid.SliceOfN(word, 1, 4).Draw(t, "filter"), "/")
		name := strings.ReplaceAll(strings.Join(rapid.SliceOfN(word, 1, 4).Draw(t, "name"), "/"), "+", "p")
		if filter == "" || name == "" || !s.Free(v, filter) || !topic.Covers(filter, name) {
			return
		}
		if !s.Allows(v, core.ActionDeliver, name) {
			t.Fatalf("%v: %q is free, and %q may not be read", rs, filter, name)
		}
	})
}

func TestAPrincipalKeepsItsGrantUntilThePolicyChanges(t *testing.T) {
	a := NewAuthorizer(NewPolicy(Options{Roles: []Role{{Name: "r", Rules: rules(t, "pub a")}}}))
	p := &core.Principal{User: "u", Roles: []string{"r"}}
	if !a.Authorize(p, core.ActionPublish, "a") || a.Authorize(p, core.ActionPublish, "b") {
		t.Fatal("first policy")
	}
	a.Swap(NewPolicy(Options{Roles: []Role{{Name: "r", Rules: rules(t, "pub b")}}}))
	if a.Authorize(p, core.ActionPublish, "a") || !a.Authorize(p, core.ActionPublish, "b") {
		t.Fatal("second policy")
	}
	a.Swap(NewPolicy(Options{Roles: []Role{{Name: "r", Rules: rules(t, "pub b")}}, RolesOf: func(*core.Principal) ([]string, bool) { return nil, false }}))
	if a.Authorize(p, core.ActionPublish, "b") {
		t.Fatal("a user that is gone")
	}
	if denied, allowed := a.Decisions(core.ActionPublish); denied != 3 || allowed != 2 {
		t.Fatalf("counted %d denied, %d allowed", denied, allowed)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"pub a/b", "deny retain,will {client}/#", "admin operator", "pubsub {attr.x}/+/é", "deny", "pub \x00"} {
		f.Add(s, "a/b")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		r, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(text); err != nil || again.Filter.String() != r.Filter.String() {
			t.Fatalf("%q parses differently: %v", text, err)
		}
		s, v := newSet([]Rule{r}, false), &Values{Client: name, User: name}
		if topic.CheckName(name, topic.Limits{}) == nil && s.Allows(v, core.ActionPublish, name) != naive([]Rule{r}, v, core.ActionPublish, name) {
			t.Fatalf("%q on %q", text, name)
		}
	})
}

func BenchmarkAThousandRules(b *testing.B) {
	var rs []Rule
	for i := range 1000 {
		rs = append(rs, rules(b, fmt.Sprintf("pubsub plant/%d/line%d/%d/#", i%7, i%26, i))...)
	}
	rs = append(rs, rules(b, "pub dev/{client}/#", "deny pub dev/+/secret", "sub cmd/{client}/+")...)
	a := NewAuthorizer(NewPolicy(Options{Roles: []Role{{Name: "r", Rules: rs}}}))
	p := &core.Principal{User: "u", ClientID: "c1", OwnsID: true, Roles: []string{"r"}}
	b.ReportAllocs()
	for b.Loop() {
		if !a.Authorize(p, core.ActionPublish, "dev/c1/temperature") {
			b.Fatal("denied")
		}
	}
}

func TestSecurity_Z15_TheAuthorizerNamesTheRuleThatRefuses(t *testing.T) {
	set := rules(t, "pub a/#", "deny retain a/b", "sub $SYS/#", "deny sub $SYS/secret")
	set[1].At = "roles.yaml:7"
	a := NewAuthorizer(NewPolicy(Options{Roles: []Role{{Name: "r", Rules: set}}}))
	p := &core.Principal{User: "u", Roles: []string{"r"}, Method: "jwt"}
	for _, c := range []struct {
		action     core.Action
		name, want string
	}{
		{core.ActionRetain, "a/b", "deny retain a/b at roles.yaml:7"},
		{core.ActionSubscribe, "$SYS/secret", "deny sub $SYS/secret"},
		{core.ActionPublish, "b", ""},
		{core.ActionPublish, "a/b", ""}, // nothing refuses it
	} {
		if got := a.Refuses(p, c.action, c.name); got != c.want {
			t.Errorf("%v %s: %q, want %q", c.action, c.name, got, c.want)
		}
	}
}
