package frame

// Limits bound one frame. The zero value of a field means its default.
type Limits struct {
	Command int // octets of the command line, default 32
	Line    int // octets of a header line, default 8 KiB
	Headers int // header lines, repeated ones included, default 100
	Body    int // octets of the body, inclusive, default 16 MiB
	Frame   int // octets of the whole frame without its NUL, default unlimited
}

// Defaults of Limits.
const (
	DefaultCommand = 32
	DefaultLine    = 8 << 10
	DefaultHeaders = 100
	DefaultBody    = 16 << 20
)

func (l *Limits) command() int { return or(l.Command, DefaultCommand) }
func (l *Limits) line() int    { return or(l.Line, DefaultLine) }
func (l *Limits) headers() int { return or(l.Headers, DefaultHeaders) }
func (l *Limits) body() int    { return or(l.Body, DefaultBody) }

// fits says whether a frame of n octets is allowed.
func (l *Limits) fits(n int) bool { return l.Frame == 0 || n <= l.Frame }

func or(n, def int) int {
	if n == 0 {
		return def
	}
	return n
}
