package access

import (
	"errors"
	"fmt"
	"os"

	"github.com/entrepot/entrepot/internal/auth"
	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/unreadable"
)

// fail reports a mistake at a key of the configuration.
func (s *Settings) fail(key, format string, args ...any) *config.Problem {
	s.problems = append(s.problems, config.Problem{Code: config.CodeAccess, Path: key, Message: fmt.Sprintf(format, args...)})
	return &s.problems[len(s.problems)-1]
}

// warn reports what works and should be changed all the same.
func (s *Settings) warn(key, format string, args ...any) *config.Problem {
	p := s.fail(key, format, args...)
	p.Warning = true
	return p
}

// failAt reports a mistake at a place of the form file:line.
func (s *Settings) failAt(place, format string, args ...any) *config.Problem {
	s.problems = append(s.problems, config.At(config.CodeAccess, place, fmt.Sprintf(format, args...)))
	return &s.problems[len(s.problems)-1]
}

func (s *Settings) warnAt(place, format string, args ...any) *config.Problem {
	p := s.failAt(place, format, args...)
	p.Warning = true
	return p
}

// unread reports that the file which a key names could not be read.
func (s *Settings) unread(key, file string, err error) {
	s.fail(key, "%s: %s cannot be read: %s", key, file, unreadable.Why(err)).Code = config.CodeFile
}

// adopt takes over what a reader of a file that a key names has found. What concerns the file as a whole is shown at the
// key.
func (s *Settings) adopt(key string, err error) {
	var all config.Problems
	if !errors.As(err, &all) {
		s.fail(key, "%s: %s", key, err)
		return
	}
	for _, p := range all {
		if p.Line == 0 {
			s.fail(key, "%s: %s %s", key, p.File, p.Message).Code = p.Code
			continue
		}
		s.problems = append(s.problems, p)
	}
}

// adoptUsers takes over what is wrong with the table of users.
func (s *Settings) adoptUsers(err error) {
	for _, e := range auth.Misplaced(err) {
		s.failAt(e.At, "%s", e.Err)
	}
}

// warnMode tells when others than the owner can read a file of secrets.
func (s *Settings) warnMode(key, file string) {
	if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o077 != 0 {
		s.warn(key, "%s can be read by others (mode %04o); it should be 0600", file, info.Mode().Perm()).Hint = "chmod 600 " + file
	}
}
