package access

import (
	"sync"

	"github.com/entrepot/entrepot/internal/auth/password"
)

// rehasher writes stronger hashes into a file of users. No login waits for it: a long file takes seconds, in which the
// hashes of other logins gather.
type rehasher struct {
	file    string
	running sync.WaitGroup

	mu      sync.Mutex
	waiting map[string]*password.Hash // Guarded by mu; at most as many as users.
	writing bool                      // Guarded by mu.
}

func (r *rehasher) add(user string, h *password.Hash) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting == nil {
		r.waiting = map[string]*password.Hash{}
	}
	r.waiting[user] = h
	if !r.writing {
		r.writing = true
		r.running.Go(r.write)
	}
}

// write writes until nothing waits. What cannot be written stays weak until its user's next login.
func (r *rehasher) write() {
	for {
		r.mu.Lock()
		batch := r.waiting
		r.waiting = nil
		r.writing = len(batch) > 0
		r.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		_ = EditUsers(r.file, func(f *File) error {
			for user, h := range batch {
				_ = f.SetPassword(user, h.Text()) // it may be gone by now
			}
			return nil
		})
	}
}
