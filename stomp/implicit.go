package stomp

import (
	"bytes"
	"strings"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/stomp/frame"
)

// implicit logs a client of implicit_connect in that begins with another frame
// than CONNECT, as the default user and in version 1.0. It is not told CONNECTED,
// which it does not await. ok is false when too little has come to tell; used are
// the line ends before the first frame. (ST12)
func (c *conn) implicit(t *core.Turn, in []byte, out *adapters.Output) (used int, ok bool) {
	rest := bytes.TrimLeft(in, "\r\n")
	used = len(in) - len(rest)
	line, _, whole := bytes.Cut(rest, []byte{'\n'})
	command := strings.TrimSuffix(string(line), "\r")
	for _, first := range []frame.Command{frame.Connect, frame.Stomp} {
		switch name := first.String(); {
		case command == name && whole:
			c.explicit = true
			return used, true
		case strings.HasPrefix(name, command) && !whole:
			return used, false
		}
	}
	c.unasked = true
	if bad := c.connect(t, &frame.Frame{Command: frame.Connect}, out); bad != nil {
		c.fail(t, bad, "", out)
	}
	return used, true
}
