package disk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrFailed marks a write that failed, and all that were refused after it.
var ErrFailed = errors.New("the store cannot be written")

// IsFull tells that an error is one of space, which may come back.
func IsFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// guard runs what pebble may end by a panic with its locks held, when a write
// before it failed. It becomes an error here.
func (s *Store) guard(op string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = s.fail(op, p)
		}
	}()
	if err := f(); err != nil {
		return s.fail(op, commitFailure{err})
	}
	return nil
}

// commitFailure is what Logger.Fatalf panics with in the goroutine of a write.
type commitFailure struct{ error }

func (f commitFailure) Unwrap() error { return f.error }

// fail remembers the first failure, and says what failed.
func (s *Store) fail(op string, p any) error {
	s.mu.Lock()
	first := s.failed == nil
	_, clean := p.(commitFailure)
	s.stuck = s.stuck || !clean
	if err, ok := p.(error); first && ok {
		s.failed = fmt.Errorf("%w (%s): %s: %w", ErrFailed, s.dir, op, err)
	} else if first {
		s.failed = fmt.Errorf("%w (%s): %s: %v", ErrFailed, s.dir, op, p)
	}
	err := s.failed
	s.mu.Unlock()
	if first {
		s.log.to.Error("store.failed", "dir", s.dir, "error", err)
		close(s.broken)
		if s.onFailure != nil {
			s.onFailure(s, err)
		}
	}
	return err
}

func (s *Store) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// logger carries pebble's words to slog: what is said of normal operation is
// dropped.
type logger struct {
	to    *slog.Logger
	fatal func(error) // fails the store, and does not return
}

var _ pebble.Logger = (*logger)(nil)

// Infof drops what is normal.
func (l *logger) Infof(string, ...any) {}

// Errorf logs what pebble goes on after.
func (l *logger) Errorf(format string, args ...any) {
	l.to.LogAttrs(context.Background(), slog.LevelError, "store.error", slog.String("error", fmt.Sprintf(format, args...)))
}

// commitPrefix begins the message about a commit that failed in DB.Apply, the
// one fatal error outside pebble's locks.
const commitPrefix = "pebble: fatal commit error"

// Fatalf does not return: pebble relies on it. A panic would end the process,
// since it meets pebble's locks, or a goroutine of its own. Nobody waits for the
// goroutine, since the store has failed.
func (l *logger) Fatalf(format string, args ...any) {
	err := fmt.Errorf(strings.ReplaceAll(format, "%v", "%w"), args...)
	if strings.HasPrefix(format, commitPrefix) {
		panic(commitFailure{err})
	}
	l.fatal(err)
}

// slow tells of an operation that takes too long.
func (l *logger) slow(i vfs.DiskSlowInfo) {
	l.to.Warn("store.slow", "operation", i.OpType.String(), "path", i.Path, "duration", i.Duration)
}

// events listens to what pebble survives but an operator should know.
func (l *logger) events() pebble.EventListener {
	return pebble.EventListener{
		BackgroundError: func(err error) { l.to.Error("store.error", "error", err) },
		// A damaged block is an error of the read that met it.
		DataCorruption: func(i pebble.DataCorruptionInfo) {
			l.to.Error("store.failed", "reason", "checksum", "path", i.Path, "error", i.Details)
		},
	}
}
