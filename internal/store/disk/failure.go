package disk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrFailed marks a write that failed, and all that were refused after it.
var ErrFailed = errors.New("the store cannot be written")

// guard runs a write. pebble has two ways to say that its log cannot be
// written: Logger.Fatalf, when the write that it waits for failed, and a panic
// with its locks held, when one before it did. Both become an error here.
func (s *Store) guard(write func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = s.fail(p)
		}
	}()
	if err := write(); err != nil {
		return s.fail(commitFailure{err})
	}
	return nil
}

// commitFailure is what Logger.Fatalf panics with in the goroutine of a write.
type commitFailure struct{ error }

// fail remembers the first failure.
func (s *Store) fail(p any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, clean := p.(commitFailure)
	s.stuck = s.stuck || !clean
	if s.failed == nil {
		s.failed = fmt.Errorf("%w (%s): %v", ErrFailed, s.dir, p)
		s.log.to.Error("store.failed", "dir", s.dir, "error", s.failed)
	}
	return s.failed
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
	fatal func(error)
}

var _ pebble.Logger = (*logger)(nil)

func newLogger(o Options) *logger {
	l := &logger{to: o.Logger, fatal: o.Fatal}
	if l.to == nil {
		l.to = slog.Default()
	}
	if l.fatal == nil {
		l.fatal = func(err error) {
			l.to.Error("store.failed", "error", err)
			os.Exit(1)
		}
	}
	return l
}

// Infof drops what is normal.
func (l *logger) Infof(string, ...any) {}

// Errorf logs what pebble goes on after.
func (l *logger) Errorf(format string, args ...any) {
	l.to.LogAttrs(context.Background(), slog.LevelError, "store.error", slog.String("error", fmt.Sprintf(format, args...)))
}

// commitPrefix begins the message about a commit that failed in DB.Apply, the
// one fatal error in a goroutine of ours and outside pebble's locks.
const commitPrefix = "pebble: fatal commit error"

// Fatalf does not return: pebble relies on it.
func (l *logger) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	if strings.HasPrefix(format, commitPrefix) {
		panic(commitFailure{err})
	}
	l.fatal(err)
	panic(err) // only if fatal returned in spite of its contract
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
