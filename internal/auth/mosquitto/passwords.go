package mosquitto

import (
	"fmt"
	"io"
	"strings"

	"github.com/entrepot/entrepot/internal/auth"
	"github.com/entrepot/entrepot/internal/auth/password"
)

// Passwords reads `user:hash` lines. Of a user that comes twice the last line counts, as in mosquitto, with a warning.
// The problems are in the order of the lines; the error is that of reading.
func Passwords(r io.Reader, file string) (users []*auth.User, problems []Problem, err error) {
	place := map[string]int{}
	err = lines(r, func(n int, line string) {
		fail := func(warning bool, format string, args ...any) {
			problems = append(problems, Problem{n, fmt.Sprintf(format, args...), warning})
		}
		name, hash, ok := strings.Cut(line, ":")
		if !ok {
			fail(false, "there is no colon between user and hash")
			return
		}
		if err := auth.CheckName(name); err != nil {
			fail(false, "%v", err)
			return
		}
		h, err := password.Parse(hash)
		if err != nil {
			fail(false, "user %q: %v", name, err)
			return
		}
		u := &auth.User{Name: name, Password: h, At: fmt.Sprintf("%s:%d", file, n)}
		if i, twice := place[name]; twice {
			fail(true, "user %q is there already: %s; this line counts", name, users[i].At)
			users[i] = u
			return
		}
		place[name] = len(users)
		users = append(users, u)
	})
	return users, problems, err
}
