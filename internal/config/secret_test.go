package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// vault is a section with secrets.
type vault struct {
	Hook  Secret            `yaml:"hook"`
	Many  map[string]Secret `yaml:"many"`
	Limit int               `yaml:"limit"`
	Rules []located         `yaml:"rules"`
}

// located is a value that wants to know where it stands.
type located struct{ text, at string }

func (l *located) UnmarshalText(b []byte) error {
	if string(b) == "bad" {
		return fmt.Errorf("it is bad")
	}
	l.text = string(b)
	return nil
}

func (l *located) Locate(file string, line int) { l.at = fmt.Sprintf("%s:%d", file, line) }

const planted = "hunter2-planted"

func readVault(t *testing.T, text string, in Input) (*Config, *vault, Problems) {
	t.Helper()
	v := &vault{}
	in.File = files(t, map[string]string{"entrepot.yaml": text, "word": planted + "\n", "open": planted, "empty": "\n"})
	if err := os.Chmod(filepath.Join(filepath.Dir(in.File), "open"), 0o644); err != nil {
		t.Fatal(err)
	}
	in.Sections = map[string]any{"vault": v}
	c, problems := Read(in)
	return c, v, problems
}

func TestC12_ASecretIsGivenInFourWays(t *testing.T) {
	t.Parallel()
	for text, x := range map[string]struct {
		word    string
		warning string
	}{
		"file:word":                      {planted, ""},
		"env:WORD":                       {planted, ""},
		"'${WORD}'":                      {planted, ""},
		planted:                          {planted, "vault.hook is written where others may read it"},
		`"$argon2id$v=19$m=1,t=1,p=1$x"`: {"$argon2id$v=19$m=1,t=1,p=1$x", ""},
		"file:open":                      {planted, "can be read by others (mode 0644)"},
	} {
		_, v, problems := readVault(t, "vault: {hook: "+text+"}\n", Input{Environ: []string{"WORD=" + planted}})
		if problems.Failed() || v.Hook.Reveal() != x.word || (len(problems) > 0) != (x.warning != "") || !strings.Contains(problems.Error(), x.warning) {
			t.Errorf("%s: %q, %v", text, v.Hook.Reveal(), problems)
		}
	}
	for text, want := range map[string]string{
		"file:none":  "none cannot be read: there is no such file",
		"file:empty": "empty is empty",
		"env:NONE":   "variable NONE is not set, or empty",
		`"env:"`:     "is not set",
		"[a]":        "vault.hook is one value, not a list",
	} {
		_, _, problems := readVault(t, "vault:\n  hook: "+text+"\n", Input{})
		if !problems.Failed() || problems[0].Line != 2 || !strings.Contains(problems.Error(), want) {
			t.Errorf("%s: %v", text, problems)
		}
	}
}

func TestSecurity_S10_ASecretPrintsStarsEverywhere(t *testing.T) {
	t.Parallel()
	v := vault{Hook: NewSecret(planted), Many: map[string]Secret{"a": NewSecret(planted)}}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v, "hook", v.Hook, "p", &v.Hook)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v, "hook", v.Hook, "p", &v.Hook)
	asJSON, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	y, err := v.Hook.MarshalYAML()
	if err != nil || y != hidden {
		t.Error(y, err)
	}
	text := log.String() + string(asJSON)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		text += fmt.Sprintf(verb, v) + fmt.Sprintf(verb, v.Hook) + fmt.Sprintf(verb, &v.Hook)
	}
	if strings.Contains(text, planted) || strings.Contains(text, "68756e") || !strings.Contains(string(asJSON), hidden) {
		t.Error(text)
	}
}

func TestSecurity_R12_NoErrorShowsASecret(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"vault:\n  hook: " + planted + "\n  limitt: 3\n",
		"vault:\n  hok: " + planted + "\n  limitt: 3\n",
		"vault:\n  hok: |\n    " + planted + "\n  limitt: 3\n",
		"vault: {pasword: " + planted + "}\n",
		"listeners: ['mqtt://joe:" + planted + "/x@127.0.0.1:x']\n",
		"listeners: ['mqtt://joe:" + planted + "%zz@127.0.0.1']\n",
		"listeners: ['mqtt//joe:" + planted + "@127.0.0.1']\n",
		"listeners: ['mqtt:/joe:" + planted + "@127.0.0.1']\n",
		"vault: {hook: \"" + planted + " x\", limit: x}\n",
		"vault: {hook: '" + planted + "', limitt: 3}\n",
		"vault:\n  hook: |\n    " + planted + "\n  limit: x\n",
		"vault:\n  hook:\n    " + planted + "\n  limit: x\n",
		"vault:\n  hook: >-\n    a\n    " + planted + "\n  limit: x\n",
		"vault:\n  many:\n    a: " + planted + "\n  limit: x\n",
		"vault:\n  hook: " + planted + "\n  limit: [\n",
		"vault:\n  - hook: " + planted + "\n",
		"other:\n  password: " + planted + "\n",
		"listeners: ['mqtt://u:" + planted + "@127.0.0.1:1']\n",
		"vault: {hook: " + planted + ", hook: " + planted + "}\n",
		"vault: {limit: '${WORD}'}\nnode: [1]\n",
	} {
		_, _, problems := readVault(t, text, Input{Environ: []string{"WORD=" + planted}, Set: []string{"vault.hook=" + planted, "vault.hook.deeper=" + planted}})
		if !problems.Failed() || strings.Contains(problems.Error(), planted) {
			t.Errorf("%s\n%v", text, problems)
		}
	}
	_, _, problems := readVault(t, "", Input{Listen: []string{"mqtt://u:" + planted + "@127.0.0.1:1", "mqtt://127.0.0.1:2?hook=" + planted}})
	if !problems.Failed() || strings.Contains(problems.Error(), planted) {
		t.Error(problems)
	}
}

func TestTheCaretStaysUnderItsKeyBehindASecret(t *testing.T) {
	t.Parallel()
	_, _, problems := readVault(t, "vault: {hook: file:word, limitt: 3}\n", Input{})
	lines := strings.Split(problems[0].String(), "\n")
	if len(lines) < 3 || strings.Index(lines[1], "limitt") != strings.IndexByte(lines[2], '^') {
		t.Error(problems)
	}
}

func TestValuesLearnWhereTheyStand(t *testing.T) {
	t.Parallel()
	c, v, problems := readVault(t, "vault:\n  rules:\n    - a\n    - b\n", Input{})
	if len(problems) > 0 || v.Rules[0].at != c.Source+":3" || v.Rules[1].at != c.Source+":4" {
		t.Errorf("%+v %v", v.Rules, problems)
	}
	_, v, _ = readVault(t, "", Input{Set: []string{"vault.rules=[x]"}})
	if len(v.Rules) != 1 || v.Rules[0].at != "--set:0" {
		t.Errorf("%+v", v.Rules)
	}
	_, _, problems = readVault(t, "vault:\n  rules: [a,\n    bad]\n", Input{})
	if !problems.Failed() || problems[0].Line != 3 || problems[0].Path != "vault.rules[1]" {
		t.Error(problems)
	}
}
