package access

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/entrepot/entrepot/internal/config"
)

func TestALongFileOfUsers(t *testing.T) {
	const many, above = 2_000, 20_000
	file := filepath.Join(t.TempDir(), "users.yaml")
	f := &File{}
	for i := range many {
		f.Users = append(f.Users, Entry{Name: fmt.Sprintf("device-%d", i), Role: []string{"sensor"}, ClientIDs: []string{fmt.Sprintf("device-%d-*", i)}, Password: Stored(hash)})
	}
	write(t, file, strings.Repeat("# so that it is long\n", above)+string(f.text()))
	users, err := UsersFile(file)
	if err != nil || len(users) != many {
		t.Fatalf("%d users: %v", len(users), err)
	}
	last := users[many-1]
	if last.Name != "device-1999" || last.ClientIDs[0] != "device-1999-*" || last.Password.Hash == nil || last.at != fmt.Sprintf("%s:%d", file, above+2+4*(many-1)+1) {
		t.Errorf("%+v at %s", last, last.at)
	}
	if err := EditUsers(file, func(f *File) error { return f.SetPassword("device-7", "none") }); err != nil {
		t.Fatal(err)
	}
	users, err = UsersFile(file)
	if err != nil || len(users) != many || users[7].Password.Hash != nil || users[8].Password.Hash == nil {
		t.Errorf("%d users after a change: %v", len(users), err)
	}
}

// longFile is a file of users that is too long to be read as one piece, with something in its middle.
func longFile(middle string) string {
	var b strings.Builder
	b.WriteString(strings.Repeat("# a comment\n", 20_000) + "---\nusers: # all\n")
	for i := range 1_200 {
		if i == 600 {
			b.WriteString(middle)
		}
		fmt.Fprintf(&b, "  - name: u%d\n    password: none\n", i)
	}
	return b.String()
}

func TestMistakesInALongFileHaveTheirPlaces(t *testing.T) {
	for middle, want := range map[string]string{
		"  - {name: x, pasword: none}\n":         ":21203:15: unknown key \"pasword\" in users[600]",
		"  - name: x\n    password: planted\n":   ":21204:15: users[600].password: what is written is not valid",
		"  - {name: x\n":                         ":21204:",
		"roles: {}\n":                            ":21203:1: the file holds users and nothing else",
		"  - {name: x, password: \"${NONE}\"}\n": "variable NONE is not set",
		" - name: x\n":                           ":21203:1: a file of more than 1 MiB",
		"  - name: x\n    password: none\n    client_ids: [\"" + strings.Repeat("x", 1<<20) + "\"]\n": "have more than 1 MiB",
	} {
		file := filepath.Join(t.TempDir(), "users.yaml")
		write(t, file, longFile(middle))
		_, err := UsersFile(file)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "planted") || len(err.Error()) > 10_000 {
			t.Errorf("%.40q: %.300v\n\twant %s", middle, err, want)
		}
	}
	file := filepath.Join(t.TempDir(), "users.yaml")
	write(t, file, longFile("# a comment\n\n\n  # another\n  - {name: x,\n     password: none}\n"))
	users, err := UsersFile(file)
	if err != nil || len(users) != 1_201 || users[600].Name != "x" || users[601].at != fmt.Sprintf("%s:%d", file, 21_209) {
		t.Errorf("%d, %v, %+v", len(users), err, users[601].at)
	}
	write(t, file, strings.Repeat("# nobody\n", 30_000)+"users:\n")
	if _, err := UsersFile(file); err == nil || !strings.Contains(err.Error(), "holds no list of users") {
		t.Error(err)
	}
	write(t, file, strings.Repeat("#", config.MaxItems+1))
	if _, err := UsersFile(file); err == nil || !strings.Contains(err.Error(), "is larger than 64 MiB") {
		t.Error(err)
	}
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users.yaml")
	t.Setenv("NAME", "somebody")
	want := Users{}
	for _, name := range []string{"joe", "true", "No", "null", "1", "1e3", "0x1", "~", "a: b", "a #b", "- a", "$$", "${NAME}", "$${NAME}", "$x", "*a", "&a", "!a", "{a}", "[a", "'", `"`, `\`,
		" a ", "\u00e9\u4e2d\U0001f600", "\ufeffx", "a\u2028b", "%a", "@a", "`a", "?", "|", ">", "a,b", strings.Repeat("x", 1024)} {
		err := EditUsers(file, func(f *File) error {
			return f.Add(Entry{Name: name, Role: []string{name}, ClientIDs: []string{name, "*"}, Namespaces: []string{name}, Password: Stored(hash)})
		})
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		want = append(want, User{Name: name, Role: []string{name}, ClientIDs: []string{name, "*"}, Namespaces: []string{name}})
	}
	got, err := UsersFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if got[i].Password.Text() != hash {
			t.Errorf("%q has the password %s", got[i].Name, got[i].Password.Text())
		}
		got[i].Password, got[i].at = Password{}, ""
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\n%+v", got, want)
	}
	for _, u := range want {
		if err := EditUsers(file, func(f *File) error { return f.Delete(u.Name) }); err != nil {
			t.Errorf("%q: %v", u.Name, err)
		}
	}
	if got, err := UsersFile(file); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestWhatAVariableHoldsIsNotWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users.yaml")
	t.Setenv("HASH", hash)
	write(t, file, "users: [{name: a, password: \"${HASH}\"}]\n")
	if err := EditUsers(file, func(f *File) error { return f.Add(Entry{Name: "b", Password: "none"}) }); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	users, bad := UsersFile(file)
	if err != nil || bad != nil || len(users) != 2 || users[0].Password.Text() != hash || !bytes.Contains(text, []byte(`"${HASH}"`)) {
		t.Errorf("%v, %v, %s", err, bad, text)
	}
}

// TestMain is also another process that edits a file of users.
func TestMain(m *testing.M) {
	if file := os.Getenv("EDIT_USERS"); file != "" {
		for i := range 20 {
			name := fmt.Sprintf("%s-%d", os.Getenv("EDIT_NAME"), i)
			if err := EditUsers(file, func(f *File) error { return f.Add(Entry{Name: name, Password: "none"}) }); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestProcessesEditOneFileOneAfterTheOther(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users.yaml")
	var running sync.WaitGroup
	for i := range 3 {
		running.Go(func() {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "EDIT_USERS="+file, fmt.Sprintf("EDIT_NAME=p%d", i))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	running.Wait()
	if users, err := UsersFile(file); err != nil || len(users) != 60 {
		t.Errorf("%d users of 60: %v", len(users), err)
	}
}

// BenchmarkUsers loads a hundred thousand users.
func BenchmarkUsers(b *testing.B) {
	file := filepath.Join(b.TempDir(), "users.yaml")
	f := &File{}
	for i := range 100_000 {
		f.Users = append(f.Users, Entry{Name: fmt.Sprintf("device-%d", i), Role: []string{"sensor"}, ClientIDs: []string{fmt.Sprintf("device-%d-*", i)}, Password: Stored(hash)})
	}
	if err := os.WriteFile(file, f.text(), 0o600); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if users, err := UsersFile(file); err != nil || len(users) != 100_000 {
			b.Fatalf("%d users: %v", len(users), err)
		}
	}
}
