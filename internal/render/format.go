package render

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Format compiles a -F template. The letters are mosquitto's:
// %% %t topic, %p payload, %q QoS, %r retain, %l length, %m id, %I ISO time, %U Unix time, %j JSON, %J JSON with the
// payload parsed, %x %X hexadecimal, %C content type, %D correlation, %E expiry, %F payload format, %R response topic,
// %S subscription id, %P properties, %A alias; flags - and 0, a width and a .maximum before the letter;
// @X is strftime's X and @N nanoseconds; \n \t \0 \e \\; %{protocol} %{client} %{header:NAME} are ours.
func Format(template string) (Func, error) {
	var parts []func(*strings.Builder, Message)
	literal := func(s string) {
		parts = append(parts, func(b *strings.Builder, _ Message) { b.WriteString(s) })
	}
	for i := 0; i < len(template); {
		switch c := template[i]; c {
		case '\\':
			s, n := escape(template[i:])
			literal(s)
			i += n
		case '@':
			part, n, err := clock(template[i:])
			if err != nil {
				return nil, err
			}
			parts = append(parts, part)
			i += n
		case '%':
			part, n, err := verb(template[i:])
			if err != nil {
				return nil, err
			}
			parts = append(parts, part)
			i += n
		default:
			end := strings.IndexAny(template[i:], `\@%`)
			if end < 0 {
				end = len(template) - i
			}
			literal(template[i : i+end])
			i += end
		}
	}
	return func(w io.Writer, m Message) error {
		var b strings.Builder
		for _, p := range parts {
			p(&b, m)
		}
		b.WriteByte('\n')
		_, err := io.WriteString(w, b.String())
		return err
	}, nil
}

func escape(s string) (string, int) {
	if len(s) == 1 {
		return `\`, 1
	}
	switch s[1] {
	case 'n':
		return "\n", 2
	case 't':
		return "\t", 2
	case 'r':
		return "\r", 2
	case '0':
		return "\x00", 2
	case 'e':
		return "\x1b", 2
	case '\\':
		return `\`, 2
	}
	return s[:2], 2
}

// strftime maps the letters that are in use to Go's layouts.
var strftime = map[byte]string{
	'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'y': "06", 'j': "002", 'b': "Jan", 'B': "January",
	'a': "Mon", 'A': "Monday", 'z': "-0700", 'Z': "MST", 'F': "2006-01-02", 'T': "15:04:05", 'I': "03", 'p': "PM", 'D': "01/02/06", 'R': "15:04",
	'e': "_2", 'N': "000000000",
}

func clock(s string) (func(*strings.Builder, Message), int, error) {
	if len(s) == 1 {
		return nil, 0, fmt.Errorf("-F ends in @; write @@ for the sign itself")
	}
	letter := s[1]
	layout, ok := strftime[letter]
	switch {
	case letter == '@':
		return func(b *strings.Builder, _ Message) { b.WriteByte('@') }, 2, nil
	case letter == 's':
		return func(b *strings.Builder, m Message) { b.WriteString(strconv.FormatInt(m.Time.Unix(), 10)) }, 2, nil
	case letter == 'N':
		return func(b *strings.Builder, m Message) { fmt.Fprintf(b, "%09d", m.Time.Nanosecond()) }, 2, nil
	case !ok:
		return nil, 0, fmt.Errorf("-F: @%c is not known", letter)
	}
	return func(b *strings.Builder, m Message) { b.WriteString(m.Time.Format(layout)) }, 2, nil
}

// A field is %[-0][width][.max]LETTER or %{name}.
type field struct {
	left, zero bool
	width, max int
}

func verb(s string) (func(*strings.Builder, Message), int, error) {
	if len(s) > 1 && s[1] == '{' {
		return named(s)
	}
	f := field{max: -1}
	i := 1
	for ; i < len(s) && (s[i] == '-' || s[i] == '0'); i++ {
		f.left, f.zero = f.left || s[i] == '-', f.zero || s[i] == '0'
	}
	f.width, i = digits(s, i)
	if i < len(s) && s[i] == '.' {
		f.max, i = digits(s, i+1)
	}
	if i >= len(s) {
		return nil, 0, fmt.Errorf("-F ends in the middle of %q; write %%%% for a percent sign", s)
	}
	value, ok := letters[s[i]]
	if !ok {
		return nil, 0, fmt.Errorf("-F: %%%c is not known", s[i])
	}
	return func(b *strings.Builder, m Message) { b.WriteString(f.pad(value(m))) }, i + 1, nil
}

func digits(s string, i int) (n, next int) {
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		n = min(n*10+int(s[i]-'0'), 10_000)
	}
	return n, i
}

func (f field) pad(s string) string {
	if f.max >= 0 && len(s) > f.max {
		s = s[:f.max]
	}
	gap := f.width - len(s)
	switch {
	case gap <= 0:
		return s
	case f.left:
		return s + strings.Repeat(" ", gap)
	case f.zero:
		return strings.Repeat("0", gap) + s
	}
	return strings.Repeat(" ", gap) + s
}

func named(s string) (func(*strings.Builder, Message), int, error) {
	end := strings.IndexByte(s, '}')
	if end < 0 {
		return nil, 0, fmt.Errorf("-F: %q has no }", s)
	}
	name := s[2:end]
	header, isHeader := strings.CutPrefix(name, "header:")
	switch {
	case name == "protocol":
		return func(b *strings.Builder, m Message) { b.WriteString(m.Protocol) }, end + 1, nil
	case name == "client":
		return func(b *strings.Builder, m Message) { b.WriteString(m.Client) }, end + 1, nil
	case isHeader:
		return func(b *strings.Builder, m Message) {
			for _, h := range m.Headers {
				if h.Name == header {
					b.WriteString(h.Value)
					return
				}
			}
		}, end + 1, nil
	}
	return nil, 0, fmt.Errorf("-F: %%{%s} is not known; there are protocol, client and header:NAME", name)
}

var letters = map[byte]func(Message) string{
	'%': func(Message) string { return "%" },
	't': func(m Message) string { return m.Topic },
	'p': func(m Message) string { return string(m.Payload) },
	'q': func(m Message) string { return strconv.Itoa(m.QoS) },
	'r': func(m Message) string { return bit(m.Retain) },
	'l': func(m Message) string { return strconv.Itoa(len(m.Payload)) },
	'm': func(m Message) string { return strconv.Itoa(m.ID) },
	'I': func(m Message) string { return m.Time.Format("2006-01-02T15:04:05-0700") },
	'U': func(m Message) string { return fmt.Sprintf("%d.%09d", m.Time.Unix(), m.Time.Nanosecond()) },
	'j': func(m Message) string { return oneLine(envelopeOf(m)) },
	'J': parsed,
	'x': func(m Message) string { return hex.EncodeToString(m.Payload) },
	'X': func(m Message) string { return strings.ToUpper(hex.EncodeToString(m.Payload)) },
	'C': func(m Message) string { return m.ContentType },
	'D': func(m Message) string { return text(m.Correlation) },
	'E': func(m Message) string {
		if m.Expiry <= 0 {
			return ""
		}
		return strconv.FormatInt(int64((m.Expiry+time.Second-1)/time.Second), 10)
	},
	'F': func(m Message) string { return bit(envelopeOf(m).Payload != nil) },
	'R': func(m Message) string { return m.ReplyTo },
	'S': func(Message) string { return "" },
	'A': func(Message) string { return "" },
	'P': func(m Message) string {
		list := make([]string, len(m.Headers))
		for i, h := range m.Headers {
			list[i] = h.Name + ":" + h.Value
		}
		return strings.Join(list, " ")
	},
}

func bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

func oneLine(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// parsed is the envelope with a payload that is JSON as JSON, not as text.
func parsed(m Message) string {
	e := envelopeOf(m)
	if !json.Valid(m.Payload) {
		return oneLine(e)
	}
	e.Payload = nil
	head := oneLine(e)
	return head[:len(head)-1] + `,"payload":` + string(m.Payload) + "}"
}
