package access

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/goccy/go-yaml"

	"github.com/entrepot/entrepot/internal/config"
)

// UsersFile reads a file of users: the section `users` in a file of its own.
func UsersFile(path string) (Users, error) {
	var list Users
	if err := config.LoadSections(path, os.Environ(), map[string]any{"users": &list}); err != nil {
		return nil, err
	}
	return list, nil
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
	Password   string   `yaml:"password"`
}

// ErrNoUser says that the file has no user of that name.
var ErrNoUser = errors.New("there is no user of that name")

// ErrUserExists says that it has one already.
var ErrUserExists = errors.New("there is a user of that name already")

func (f *File) find(name string) int {
	return slices.IndexFunc(f.Users, func(e Entry) bool { return e.Name == name })
}

// Add adds a user.
func (f *File) Add(e Entry) error {
	if f.find(e.Name) >= 0 {
		return ErrUserExists
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
	f.Users[i].Password = hash
	return nil
}

// EditUsers changes a file of users as a whole: what was read, changed and checked replaces it at once, and a crash
// leaves the old file or the new one. A file that is not there is made. Comments are not kept.
func EditUsers(path string, change func(*File) error) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // the link stays one
	}
	f := new(File)
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		if _, err := UsersFile(path); err != nil { // the strict reader says what is wrong
			return err
		}
		if err := yaml.Unmarshal(raw, f); err != nil {
			return fmt.Errorf("%s cannot be read", path)
		}
	}
	if err := change(f); err != nil {
		return err
	}
	text, err := yaml.Marshal(f)
	if err != nil {
		return err
	}
	if bytes.Equal(text, raw) {
		return nil
	}
	return replace(path, append([]byte("# Users, as `entrepot user` writes them. Passwords are hashes.\n"), text...))
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
