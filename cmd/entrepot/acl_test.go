package main

import (
	"encoding/json"
	"strings"
	"testing"
)

const explained = `roles:
  sensor:
    - pub dev/{client}/#
    - deny retain dev/#
    - sub cmd/{client}/#
  backend: ["pubsub dev/#", "queue orders", "deny share dev/#", "deny sub dev/secret/#"]
  all: ["sub #"]
users:
  - {name: gw1, role: [sensor], client_ids: ["gw1-*"], namespaces: [plant], password: none}
  - {name: app, role: [backend], password: none}
  - {name: idle, password: none}
  - {name: ops, role: [all], password: none}
`

func TestSecurity_Z15_ExplainNamesTheRuleThatDecided(t *testing.T) {
	t.Parallel()
	file := put(t, t.TempDir(), "e.yaml", explained)
	for _, c := range []struct {
		code int
		want string
		args string
	}{
		{0, "allowed: gw1 pub dev/gw1-a/t\n  by       FILE:3  pub dev/{client}/#  (dev/gw1-a/#)\n", "--user gw1 --client gw1-a pub dev/gw1-a/t"},
		{0, "denied: gw1 pub retained dev/gw1-a/t\n  by       FILE:4  deny retain dev/#\n", "--user gw1 --client gw1-a pub dev/gw1-a/t"},
		{6, "denied: gw1 pub dev/gw1-b/t\n  by       no rule", "--user gw1 --client gw1-a pub dev/gw1-b/t"},
		{6, "denied: gw1 pub dev/gw1-a/t\n  by       no rule", "--user gw1 pub dev/gw1-a/t"},
		{6, "may not have the client identifier \"x\", only gw1-*", "--user gw1 --client x pub dev/x/t"},
		{6, "belongs to plant", "--user gw1 --client gw1-a --namespace other pub a"},
		{6, "cannot be", "--user gw1 --client gw1-a/b pub a"},
		{6, "there is no user \"nobody\"", "--user nobody pub a"},
		{0, "allowed: app sub dev/+/t\n  by       FILE:6  pubsub dev/#\n", "--user app sub dev/+/t"},
		{6, "denied: app sub dev/secret/x\n  by       FILE:6  deny sub dev/secret/#\n  matches  FILE:6  pubsub dev/#\n", "--user app sub dev/secret/x"},
		{6, "denied: app sub shared dev/#\n  by       FILE:6  deny share dev/#\n", "--user app sub $share/g/dev/#"},
		{6, "allowed: app sub dev/#\n", "--user app sub $share/g/dev/#"},
		{0, "allowed: app queue orders\n  by       FILE:6  queue orders\n", "--user app queue orders"},
		{6, "denied: app queue other\n", "--user app queue other"},
		{6, "\"a/#\" is not valid there", "--user app pub a/#"},
		{0, "allowed: token pub dev/x\n", "--user token --role backend pub dev/x"},
		{2, "there is no such role", "--user token --role nope pub dev/x"},
		{2, "none of pub, sub, queue", "--user app publish a"},
		{2, "is followed by pub, sub or queue", "--user app pub"},
		{2, "neither text nor json", "--user app -o xml pub a"},
		{6, "denied: anonymous pub a\n  by       no rule", "pub a"},
	} {
		code, out, text := execute(t, "", append([]string{"acl", "explain", "--config", file}, strings.Fields(c.args)...)...)
		out = strings.ReplaceAll(out, file, "FILE")
		if code != c.code || !strings.Contains(out+text, c.want) {
			t.Errorf("%s: exit %d, want %d\n%s%s", c.args, code, c.code, out, text)
		}
	}
}

func TestSecurity_Z15_ExplainListsAndSpeaksJSON(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, none := put(t, dir, "e.yaml", explained), put(t, dir, "none.yaml", "log: {level: info}\n")
	code, out, _ := execute(t, "", "acl", "explain", "--config", file, "--user", "gw1", "--client", "gw1-a", "--all", "-o", "json")
	var lines []ruleLine
	if err := json.Unmarshal([]byte(out), &lines); code != 0 || err != nil || len(lines) != 3 || lines[2] != (ruleLine{file + ":5", "sub cmd/{client}/#", "cmd/gw1-a/#"}) {
		t.Error(code, out, err)
	}
	code, out, _ = execute(t, "", "acl", "explain", "--config", file, "--user", "app", "sub", "dev/x", "-o", "json")
	var all []verdict
	if err := json.Unmarshal([]byte(out), &all); code != 0 || err != nil || len(all) != 1 || !all[0].Allowed || all[0].Rule.At != file+":6" || len(all[0].Matches) != 1 {
		t.Error(code, out, err)
	}
	if code, out, text := execute(t, "", "acl", "explain", "--config", file, "--user", "ops", "--all"); code != 0 || !strings.HasPrefix(text, "note: "+file+":7: role \"all\" reads whatever") || !strings.Contains(out, "sub #") {
		t.Errorf("Z14: exit %d, %s%s", code, out, text)
	}
	for want, args := range map[string][]string{
		"idle may do nothing":                 {file, "--user", "idle", "--all"},
		"matches nothing: a value is missing": {file, "--user", "gw1", "--all"},
		"everybody may do everything":         {none, "--all"},
	} {
		if code, out, text := execute(t, "", append([]string{"acl", "explain", "--config"}, args...)...); code != 0 || !strings.Contains(out, want) {
			t.Errorf("%v: exit %d, %s%s", args, code, out, text)
		}
	}
	if code, _, text := execute(t, "", "acl", "explain", "--config", dir+"/nowhere.yaml", "pub", "a"); code != exitConfig {
		t.Error(code, text)
	}
}
