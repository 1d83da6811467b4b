package acl

import "testing"

func TestRulesThatADenyMakesDead(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		rules []string
		dead  string
		by    int
	}{
		{[]string{"pub a/b", "deny pub a/#"}, "pub a/b", 1},
		{[]string{"pub a/b", "deny sub a/#"}, "", 0},
		{[]string{"pubsub a/b", "deny sub a/#"}, "", 0},
		{[]string{"pubsub a/b", "deny sub a/#", "deny pub +/b"}, "pubsub a/b", 2},
		{[]string{"pub a/#", "deny pub a/b"}, "", 0},
		{[]string{"pub a", "deny retain,will a"}, "", 0},
		{[]string{"pub dev/{client}/x", "deny pub dev/+/x"}, "pub dev/{client}/x", 1},
		{[]string{"pub dev/{client}/x", "deny pub dev/{user}/x"}, "", 0},
		{[]string{"pub dev/x", "deny pub dev/{user}"}, "", 0},
		{[]string{"sub $SYS/#", "deny sub #"}, "", 0},
		{[]string{"admin operator", "deny admin viewer"}, "admin operator", 1},
		{[]string{"admin operator", "deny admin operator"}, "", 0},
		{[]string{"queue a", "deny queue #"}, "queue a", 1},
	} {
		var rules []Rule
		for _, text := range x.rules {
			r, err := Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			rules = append(rules, r)
		}
		list := Dead(rules)
		switch {
		case x.dead == "" && len(list) > 0:
			t.Errorf("%q: %q is dead by %q", x.rules, list[0].Rule.Text, list[0].By.Text)
		case x.dead != "" && (len(list) != 1 || list[0].Rule.Text != x.dead || list[0].By.Text != x.rules[x.by]):
			t.Errorf("%q: %+v", x.rules, list)
		}
	}
}
