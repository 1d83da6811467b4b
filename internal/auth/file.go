package auth

import (
	"context"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/internal/auth/password"
)

// File is the backend of the user table.
type File struct {
	table   *Table
	workers *Workers
	cache   *cache[bool]
	rehash  func(user string, h *password.Hash) // nil: weak hashes stay
}

var _ Backend = (*File)(nil)

// NewFile makes the backend. rehash, if it is set, is given a stronger hash of a user whose stored one is weak, after a
// good login.
func NewFile(t *Table, w *Workers, rehash func(user string, h *password.Hash)) *File {
	return &File{table: t, workers: w, cache: newCache[bool](time.Now), rehash: rehash}
}

// Name is the backend's word in the configuration.
func (f *File) Name() string { return "file" }

// Check verifies a password. Whether a user exists, and has a password, cannot be told by the time that it takes (U10).
func (f *File) Check(ctx context.Context, c *adapters.Credentials) (Answer, error) {
	u := f.table.User(c.User)
	if u == nil {
		return Answer{Verdict: Unknown}, nil
	}
	ok, err := f.verify(ctx, u, c.Password)
	if err != nil {
		return Answer{}, err
	}
	if !ok {
		return Answer{Verdict: Denied}, nil
	}
	return Answer{Verdict: Allowed, Roles: u.Roles, ClientIDs: u.ClientIDs, Namespaces: u.Namespaces, Method: "password"}, nil
}

// verify compares a password. Whoever has none takes as long over it.
func (f *File) verify(ctx context.Context, u *User, given []byte) (ok bool, err error) {
	stored := u.Password
	if stored == nil {
		stored = f.table.Decoy()
	}
	sum := f.cache.sum(given, u.Name, stored.Text())
	if ok, known := f.cache.get(sum); known {
		return ok, nil
	}
	var better *password.Hash
	err = f.workers.Do(ctx, func() {
		ok = stored.Verify(given) && u.Password != nil
		if ok && f.rehash != nil && stored.Weak() {
			better = password.New(given)
		}
	})
	if err != nil {
		return false, err
	}
	keep := keepBad
	if ok {
		keep = keepGood
	}
	f.cache.put(sum, ok, keep)
	if better != nil {
		f.rehash(u.Name, better)
	}
	return ok, nil
}
