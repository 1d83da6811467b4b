package pskfile

import (
	"errors"
	"os"
	"sync"
	"time"
)

// every is how often a handshake looks whether the file has changed.
const every = 10 * time.Second

// Live is the keys of one file, read again when it changes. What cannot be
// used is refused, and the last good keys stay.
type Live struct {
	// Immutable.
	file     string
	now      func() time.Time
	reloaded func(error)

	mu     sync.Mutex
	keys   map[string][]byte // Guarded by mu.
	looked time.Time         // Guarded by mu.
	size   int64             // Guarded by mu.
	at     time.Time         // Guarded by mu.
	// Guarded by mu; why the file of now is not used, which is tried again: it may pass.
	refused string
}

// Open reads a file. reloaded is told when a changed one was taken (nil) or
// refused.
func Open(file string, reloaded func(error)) (*Live, error) { return open(file, reloaded, time.Now) }

func open(file string, reloaded func(error), now func() time.Time) (*Live, error) {
	l := &Live{file: file, now: now, reloaded: reloaded, looked: now()}
	l.changed()
	return l, l.load()
}

// Load reads a file once.
func Load(file string) (map[string][]byte, error) {
	keys, problems := read(file)
	for _, p := range problems {
		if !p.Warning {
			return nil, errors.New(p.Message)
		}
	}
	return keys, nil
}

func (l *Live) load() error {
	keys, err := Load(l.file)
	if err == nil {
		l.keys = keys
	}
	return err
}

// changed notes how the file looks.
func (l *Live) changed() bool {
	info, err := os.Stat(l.file)
	if err != nil {
		was := l.size
		l.size, l.at = -1, time.Time{}
		return was != -1
	}
	same := info.Size() == l.size && info.ModTime().Equal(l.at)
	l.size, l.at = info.Size(), info.ModTime()
	return !same
}

// Key is the key of an identity. It is safe for concurrent use.
func (l *Live) Key(identity string) (key []byte, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now(); now.Sub(l.looked) >= every {
		l.looked = now
		if changed := l.changed(); changed || l.refused != "" {
			err, why := l.load(), ""
			if err != nil {
				why = err.Error()
			}
			if (changed || why != l.refused) && l.reloaded != nil {
				l.reloaded(err)
			}
			l.refused = why
		}
	}
	key, ok = l.keys[identity]
	return key, ok
}
