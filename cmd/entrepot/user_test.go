package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/internal/access"
	"github.com/entrepot/entrepot/internal/auth/password"
)

// put writes a file of a test's folder.
func put(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// stored is the password of a user as the file has it.
func stored(t *testing.T, file, name string) *password.Hash {
	t.Helper()
	users, err := access.UsersFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		if u.Name == name {
			return u.Password.Hash
		}
	}
	t.Fatalf("%s has no user %s", file, name)
	return nil
}

func TestSecurity_U4_TheFirstUserEndsAnonymousAccessAndIsToldSo(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "users.yaml")
	code, out, text := execute(t, "", "user", "add", "joe", "--file", file, "--role", "r")
	if code != 0 || !strings.Contains(text, "lets nobody in without a login") || strings.Count(out, "\n") != 1 {
		t.Fatal(code, out, text)
	}
	generated := strings.TrimSpace(out)
	if len(generated) < 20 || strings.Contains(text, generated) || !stored(t, file, "joe").Verify([]byte(generated)) {
		t.Errorf("the generated password is %q", generated)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	if code, _, text := execute(t, "x", "user", "add", "ann", "--file", file, "--password-file", "-"); code != 0 || strings.Contains(text, "first user") || !strings.Contains(text, "has no role") {
		t.Error(code, text)
	}
}

func TestUsersAreAddedChangedListedAndDeleted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, secret := filepath.Join(dir, "users.yaml"), put(t, dir, "secret", "sesame\n")
	for hash, kind := range map[string]string{"argon2id": "argon2id", "bcrypt": "bcrypt", "scram": "scram"} {
		code, out, text := execute(t, "", "user", "add", hash, "--file", file, "--hash", hash, "--role", "a", "--role", "b", "--client-id", "x-*", "--namespace", "plant", "--password-file", secret)
		h := stored(t, file, hash)
		if code != 0 || out != "" || strings.Contains(text, "sesame") || h.Kind() != kind || !h.Verify([]byte("sesame")) {
			t.Errorf("%s: exit %d, %q, %s", hash, code, out, text)
		}
	}
	if code, out, text := execute(t, "", "user", "add", "beacon", "--file", file, "--hash", "none"); code != 0 || out != "" || stored(t, file, "beacon") != nil {
		t.Error(code, out, text)
	}
	if code, out, text := execute(t, "other\r\n", "user", "passwd", "bcrypt", "--file", file, "--password-file", "-"); code != 0 || out != "" || !stored(t, file, "bcrypt").Verify([]byte("other")) {
		t.Error(code, out, text)
	}
	if code, _, text := execute(t, "", "user", "delete", "scram", "--file", file); code != 0 {
		t.Error(code, text)
	}
	code, out, text := execute(t, "", "user", "list", "--file", file, "-o", "json")
	var all []listed
	if err := json.Unmarshal([]byte(out), &all); code != 0 || err != nil || len(all) != 3 {
		t.Fatal(code, out, text, err)
	}
	for _, u := range all {
		if u.Name == "bcrypt" && (u.Password != "argon2id" || strings.Join(u.Roles, " ") != "a b" || u.ClientIDs[0] != "x-*" || u.Namespaces[0] != "plant") {
			t.Errorf("%+v", u)
		}
	}
	_, table, _ := execute(t, "", "user", "list", "--file", file)
	if !strings.Contains(table, "NAME") || !strings.Contains(table, "beacon") || strings.Contains(table+out, "$") {
		t.Errorf("%s%s", table, out)
	}
}

func TestWhatUserRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := put(t, dir, "users.yaml", "users: [{name: joe, password: none}]\n")
	config := put(t, dir, "e.yaml", "auth: {file: users.yaml}\nroles: {r: [pub a]}\nusers: [{name: inline, role: [r], password: none}]\n")
	bare := put(t, dir, "bare.yaml", "log: {level: info}\n")
	empty, long := put(t, dir, "empty", "\n"), put(t, dir, "long", strings.Repeat("x", 73))
	broken := put(t, dir, "broken.yaml", "users: [{name: a, pasword: x}]\n")
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{2, "user is followed by", []string{"user"}},
		{2, "unknown command", []string{"user", "nonsense"}},
		{2, "accepts 1 arg", []string{"user", "add"}},
		{2, "has a + or #", []string{"user", "add", "a+", "--file", file}},
		{2, "--client-id", []string{"user", "add", "a", "--client-id", "x#", "--file", file}},
		{2, "--hash md5", []string{"user", "add", "a", "--hash", "md5", "--file", file}},
		{2, "has no use", []string{"user", "add", "a", "--hash", "none", "--password-file", long, "--file", file}},
		{2, "neither table nor json", []string{"user", "list", "-o", "xml", "--file", file}},
		{1, "user passwd joe", []string{"user", "add", "joe", "--file", file}},
		{1, "no user \"ann\"", []string{"user", "passwd", "ann", "--file", file}},
		{1, "no user \"ann\"", []string{"user", "delete", "ann", "--file", file}},
		{1, "no role \"x\", only: r", []string{"user", "add", "a", "--role", "x", "--config", config}},
		{1, "itself has a user \"inline\"", []string{"user", "add", "inline", "--config", config}},
		{1, "bcrypt", []string{"user", "add", "a", "--hash", "bcrypt", "--password-file", long, "--file", file}},
		{3, "is empty", []string{"user", "add", "a", "--password-file", empty, "--file", file}},
		{3, "cannot be read: there is no such file", []string{"user", "add", "a", "--password-file", dir + "/none", "--file", file}},
		{3, "cannot be changed", []string{"user", "add", "a", "--file", dir + "/none/users.yaml", "--password-file", long}},
		{3, "did you mean \"password\"", []string{"user", "add", "a", "--file", broken, "--password-file", long}},
		{3, "there is no such file", []string{"user", "list", "--file", dir + "/none.yaml"}},
		{3, "names no file of users", []string{"user", "list", "--config", bare}},
		{3, "Nothing was changed", []string{"user", "list", "--config", broken}},
	} {
		if code, out, text := execute(t, "", c.args...); code != c.code || out != "" || !strings.Contains(text, c.want) {
			t.Errorf("%v: exit %d, %q, %s", c.args, code, out, text)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "users: [{name: joe, password: none}]\n" {
		t.Errorf("the file was changed: %s, %v", text, err)
	}
}

func TestAPasswordIsAskedForTwice(t *testing.T) {
	t.Parallel()
	for answers, want := range map[string]string{"a|a": "a", "a|b": "differ", "": "generated"} {
		list := strings.Split(answers, "|")
		p := &newPassword{hash: "bcrypt", ask: func(context.Context, streams, string) ([]byte, error) {
			next := list[0]
			list = list[1:]
			return []byte(next), nil
		}}
		text, generated, err := p.take(t.Context(), streams{}, "joe")
		switch want {
		case "differ":
			if err == nil || !strings.Contains(err.Error(), "differ") {
				t.Errorf("%s: %v", answers, err)
			}
		case "generated":
			if h, bad := password.Parse(text); err != nil || bad != nil || !h.Verify(generated) {
				t.Errorf("%s: %v", answers, err)
			}
		default:
			if h, bad := password.Parse(text); err != nil || bad != nil || generated != nil || !h.Verify([]byte(want)) {
				t.Errorf("%s: %v", answers, err)
			}
		}
	}
}
