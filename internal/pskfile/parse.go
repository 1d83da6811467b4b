package pskfile

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/entrepot/entrepot/internal/unreadable"
)

const (
	maxFile     = 16 << 20 // bytes
	maxIdentity = 1024     // bytes, as of every user name
	maxKey      = 512      // bytes, what the usual engines take
	goodKey     = 16       // bytes; a shorter one is warned about
)

// A Problem is what is wrong with a file.
type Problem struct {
	Line    int    // 0: the file itself
	Message string // one sentence with the file's name and line
	Warning bool   // the keys work all the same
}

// Check reads a file and reports all that is wrong with it.
func Check(file string) []Problem {
	_, problems := read(file)
	return problems
}

func read(file string) (map[string][]byte, []Problem) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, []Problem{{Message: fmt.Sprintf("%s cannot be read: %s", file, unreadable.Why(err))}}
	case info.IsDir():
		return nil, []Problem{{Message: file + " is a directory"}}
	case info.Size() > maxFile:
		return nil, []Problem{{Message: file + " is larger than 16 MiB"}}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, []Problem{{Message: fmt.Sprintf("%s cannot be read: %s", file, unreadable.Why(err))}}
	}
	if len(bytes.TrimSpace(b)) == 0 { // what is left of one that could not be written
		return nil, []Problem{{Message: file + " is empty"}}
	}
	keys, problems := Parse(file, b)
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		problems = append(problems, Problem{Warning: true,
			Message: fmt.Sprintf("%s can be read by others than its owner (mode %04o); write chmod 600 %s", file, mode, file)})
	}
	return keys, problems
}

// Parse reads the lines of a file, whose name is for the problems. No message
// holds a key.
func Parse(file string, b []byte) (map[string][]byte, []Problem) {
	keys, at := map[string][]byte{}, map[string]int{}
	var problems []Problem
	for n, line := range bytes.Split(b, []byte("\n")) {
		text := strings.TrimSuffix(string(line), "\r")
		if strings.TrimSpace(text) == "" || strings.HasPrefix(text, "#") {
			continue
		}
		say := func(warning bool, format string, args ...any) {
			problems = append(problems, Problem{Line: n + 1, Warning: warning,
				Message: fmt.Sprintf("%s:%d: ", file, n+1) + fmt.Sprintf(format, args...)})
		}
		colon := strings.LastIndexByte(text, ':') // a key has none, an identity such as urn:dev:1 may
		if colon < 0 {
			say(false, "a line is identity:key with the key in hexadecimal digits")
			continue
		}
		identity, digits := text[:colon], text[colon+1:]
		if fault := identityFault(identity); fault != "" {
			say(false, "the identity %s", fault)
			continue
		}
		key, err := hex.DecodeString(digits)
		switch {
		case err != nil:
			say(false, "the key of %q is not an even number of hexadecimal digits", identity)
			continue
		case len(key) == 0:
			say(false, "the key of %q is empty", identity)
			continue
		case len(key) > maxKey:
			say(false, "the key of %q has more than %d bytes", identity, maxKey)
			continue
		case keys[identity] != nil:
			say(false, "identity %q is there already, in line %d", identity, at[identity])
			continue
		case len(key) < goodKey:
			say(true, "the key of %q has %d bytes; 16 random ones cannot be guessed", identity, len(key))
		}
		keys[identity], at[identity] = key, n+1
	}
	return keys, problems
}

// identityFault tells why an identity cannot be a user's name (U7).
func identityFault(s string) string {
	switch {
	case s == "":
		return "is empty"
	case len(s) > maxIdentity:
		return "has more than 1024 bytes"
	case !utf8.ValidString(s):
		return "is not UTF-8"
	case strings.ContainsAny(s, "+#"):
		return "has a + or #"
	case strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }):
		return "has a control character"
	}
	return ""
}
