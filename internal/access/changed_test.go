package access

import (
	"testing"

	"github.com/entrepot/entrepot/core"
)

func TestSecurity_Z9_WhoeverUsesTheRulesIsToldOfOthers(t *testing.T) {
	c := control(t, "")
	if !c.Open() {
		t.Error("there are no rules")
	}
	told := 0
	c.Changed = func() {
		told++
		if c.Open() || c.Authorize(core.Anonymous, core.ActionPublish, "a") {
			t.Error("told before the rules hold")
		}
	}
	s, _, err := settings(t, `roles: {anonymous: ["sub a"]}`)
	if err != nil {
		t.Fatal(err)
	}
	c.Use(s, nil)
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

func TestSecurity_E5_AStoredPrincipalIsJudgedByTheUsersOfNow(t *testing.T) {
	const rules = "roles: {device: [\"pub will/#\"]}\nusers:\n  - {name: other, role: [device], password: none}\n"
	c := control(t, rules+`  - {name: gw, role: [device], password: none}`)
	gw := &core.Principal{User: "gw", Method: "password"} // as a record has it
	token := &core.Principal{User: "sub", Method: "jwt", Roles: []string{"device"}}
	may := func(p *core.Principal) bool { return c.Authorize(p, core.ActionWill, "will/x") }
	if !may(gw) || !may(token) {
		t.Error("denied")
	}
	s, _, err := settings(t, rules)
	if err != nil {
		t.Fatal(err)
	}
	c.Use(s, nil)
	if may(gw) || !may(token) {
		t.Errorf("a user that was deleted: %v; the bearer of a token: %v", may(gw), may(token))
	}
}
