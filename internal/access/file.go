package access

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/entrepot/entrepot/internal/config"
)

// UsersFile reads a file of users: the section `users` in a file of its own, of up to 64 MiB. The error is a
// [config.Problems].
func UsersFile(path string) (Users, error) {
	return config.LoadItems[User](path, config.Items{Name: "users", Environ: os.Environ()})
}

// File is a file of users that is being changed.
type File struct {
	Users []Entry `yaml:"users"`
}

// Entry is one user of a file, with its password as it is stored.
type Entry struct {
	Name       string   `yaml:"name"`
	Role       []string `yaml:"role,omitempty"`
	ClientIDs  []string `yaml:"client_ids,omitempty"`
	Namespaces []string `yaml:"namespaces,omitempty"`
	Password   Stored   `yaml:"password"`
}

// Stored is a password as it stands in the file: a hash, a variable that holds one, or none.
type Stored string

// Concealed keeps it out of messages.
func (s Stored) Concealed() {}

// UnmarshalText refuses what is none of them.
func (s *Stored) UnmarshalText(b []byte) error {
	*s = Stored(b)
	if bytes.Contains(b, []byte("${")) {
		return nil
	}
	return new(Password).UnmarshalText(b)
}

// ErrNoUser says that the file has no user of that name.
var ErrNoUser = errors.New("there is no user of that name")

// ErrUserExists says that it has one already.
var ErrUserExists = errors.New("there is a user of that name already")

// written is a word as the file has it, where $$ is a dollar sign and ${ begins a variable.
func written(word string) string { return dollars.Replace(word) }

var dollars = strings.NewReplacer("$$", "$$$$", "${", "$${")

func (f *File) find(name string) int {
	name = written(name)
	return slices.IndexFunc(f.Users, func(e Entry) bool { return e.Name == name })
}

// Add adds a user.
func (f *File) Add(e Entry) error {
	if f.find(e.Name) >= 0 {
		return ErrUserExists
	}
	e.Name = written(e.Name)
	for _, list := range []*[]string{&e.Role, &e.ClientIDs, &e.Namespaces} {
		*list = slices.Clone(*list)
		for i := range *list {
			(*list)[i] = written((*list)[i])
		}
	}
	f.Users = append(f.Users, e)
	return nil
}

// Delete removes one.
func (f *File) Delete(name string) error {
	i := f.find(name)
	if i < 0 {
		return ErrNoUser
	}
	f.Users = slices.Delete(f.Users, i, i+1)
	return nil
}

// SetPassword replaces a stored password.
func (f *File) SetPassword(name, hash string) error {
	i := f.find(name)
	if i < 0 {
		return ErrNoUser
	}
	f.Users[i].Password = Stored(hash)
	return nil
}

// EditUsers changes a file of users as a whole: what was read, changed and checked replaces it at once, and a crash
// leaves the old file or the new one. A file that is not there is made. Comments are not kept. Of several processes that
// edit one file, one comes after the other.
func EditUsers(path string, change func(*File) error) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // the link stays one
	}
	unlock, err := lock(path)
	if err != nil {
		return err
	}
	defer unlock()
	f := new(File)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		if f.Users, err = config.LoadItems[Entry](path, config.Items{Name: "users", Raw: true}); err != nil {
			return err
		}
	}
	before := slices.Clone(f.Users)
	if err := change(f); err != nil {
		return err
	}
	if slices.EqualFunc(before, f.Users, Entry.equal) {
		return nil
	}
	text := f.text()
	if len(text) > config.MaxItems {
		return fmt.Errorf("%s would be larger than %d MiB", path, config.MaxItems>>20)
	}
	return replace(path, text)
}

// text is the file as it is written: a line of its own for each element, as a long file needs it.
func (f *File) text() []byte {
	b := []byte("# Users, as `entrepot user` writes them. Passwords are hashes.\nusers:")
	if len(f.Users) == 0 {
		return append(b, " []\n"...)
	}
	b = append(b, '\n')
	for _, e := range f.Users {
		b = fmt.Appendf(b, "  - name: %s\n", word(e.Name))
		for _, l := range []struct {
			key  string
			list []string
		}{{"role", e.Role}, {"client_ids", e.ClientIDs}, {"namespaces", e.Namespaces}} {
			for i, w := range l.list {
				b = append(b, map[bool]string{true: "    " + l.key + ": [", false: ", "}[i == 0]...)
				b = append(b, word(w)...)
			}
			if len(l.list) > 0 {
				b = append(b, "]\n"...)
			}
		}
		b = fmt.Appendf(b, "    password: %s\n", word(string(e.Password)))
	}
	return b
}

var plainWord = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./-]*$`)

// word is a text as YAML has it.
func word(s string) string {
	switch {
	case !plainWord.MatchString(s):
	case slices.Contains([]string{"true", "false", "yes", "no", "on", "off", "null", "y", "n"}, strings.ToLower(s)):
	default:
		return s
	}
	return strconv.Quote(s) // what it writes, YAML reads
}

func (e Entry) equal(o Entry) bool {
	return e.Name == o.Name && e.Password == o.Password && slices.Equal(e.Role, o.Role) && slices.Equal(e.ClientIDs, o.ClientIDs) &&
		slices.Equal(e.Namespaces, o.Namespaces)
}

// replace writes a file by a synced temporary one and a rename. Its owner stays, so that the gateway of another user can
// read what root has written.
func replace(path string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".users-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // gone after the rename
	if old, err := os.Stat(path); err == nil {
		keepOwner(tmp, old)
	}
	if _, err = tmp.Write(text); err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
