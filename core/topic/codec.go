package topic

import "strings"

// Codec carries topics over protocols that separate levels with '.' and write
// wildcards '*' and '#' (AMQP routing keys and bindings, STOMP's dot style).
type Codec struct {
	// Plain swaps separators and wildcards without escaping, as RabbitMQ does.
	// It loses levels ("a.b/c" comes back as "a/b/c"); results that would be
	// illegal are errors.
	Plain bool

	// Sparkplug carries the first level "spBv1.0" as "spBv1___0", as RabbitMQ's
	// option does, so that it stays one word that people can bind to. A topic
	// that begins with "spBv1___0" then comes back as the other.
	Sparkplug bool
}

const (
	sparkplugLevel = "spBv1.0"
	sparkplugWord  = "spBv1___0"
)

// Dotted is the lossless codec: decoding what was encoded gives the same topic.
var Dotted = Codec{}

// RabbitMQ is the plain swap of RabbitMQ's plugins.
var RabbitMQ = Codec{Plain: true}

const upperHex = "0123456789ABCDEF"

// EncodeName turns a legal topic into a routing key. The key holds no wildcard
// word, except that a Plain codec leaves a level "*" as it is.
func (c Codec) EncodeName(topic string) string {
	if !c.escapes(topic) && !c.Sparkplug {
		return strings.ReplaceAll(topic, "/", ".")
	}
	return string(c.AppendName(make([]byte, 0, len(topic)+16), topic))
}

// EncodeFilter turns a legal filter, wide or not, into a binding key.
func (c Codec) EncodeFilter(filter string) string {
	return string(c.AppendFilter(make([]byte, 0, len(filter)+16), filter))
}

// AppendName appends EncodeName to dst.
func (c Codec) AppendName(dst []byte, topic string) []byte {
	if rest, ok := c.swapFirst(topic, sparkplugLevel, '/'); ok {
		return c.appendLevels(append(dst, sparkplugWord...), rest)
	}
	return c.appendLevels(dst, topic)
}

// swapFirst takes the first level off s if the option is on and it is that one.
func (c Codec) swapFirst(s, level string, separator byte) (rest string, ok bool) {
	if !c.Sparkplug {
		return s, false
	}
	rest, ok = strings.CutPrefix(s, level)
	return rest, ok && (rest == "" || rest[0] == separator)
}

func (c Codec) appendLevels(dst []byte, topic string) []byte {
	for i := 0; i < len(topic); i++ {
		dst = c.appendByte(dst, topic[i])
	}
	return dst
}

// AppendFilter appends EncodeFilter to dst.
func (c Codec) AppendFilter(dst []byte, filter string) []byte {
	if rest, ok := c.swapFirst(filter, sparkplugLevel, '/'); ok {
		return c.appendFilter(append(dst, sparkplugWord...), rest)
	}
	return c.appendFilter(dst, filter)
}

func (c Codec) appendFilter(dst []byte, filter string) []byte {
	for pos := first(filter); pos <= len(filter); {
		if pos > 0 {
			dst = append(dst, '.')
		}
		end := levelEnd(filter, pos)
		switch level := filter[pos:end]; level {
		case "+":
			dst = append(dst, '*')
		case "#":
			dst = append(dst, '#')
		default:
			dst = c.appendLevels(dst, level)
		}
		pos = end + 1
	}
	return dst
}

func (c Codec) escapes(topic string) bool {
	return !c.Plain && strings.ContainsAny(topic, "%.*#")
}

func (c Codec) appendByte(dst []byte, b byte) []byte {
	switch b {
	case '/':
		return append(dst, '.')
	case '%', '.', '*', '#':
		if !c.Plain {
			return appendEscape(dst, b)
		}
	}
	return append(dst, b)
}

func appendEscape(dst []byte, b byte) []byte {
	return append(dst, '%', upperHex[b>>4], upperHex[b&15])
}

// DecodeText is DecodeName for what may be no legal topic.
func (c Codec) DecodeText(key string) string {
	t := c.decode(key)
	if rest, ok := c.swapFirst(t, sparkplugWord, '/'); ok {
		t = sparkplugLevel + rest
	}
	return t
}

// DecodeName turns a routing key into a legal topic. An empty key is ErrEmpty;
// what has no legal form is the error of CheckName.
func (c Codec) DecodeName(key string) (string, error) {
	t := c.DecodeText(key)
	if err := CheckName(t, Limits{}); err != nil {
		return "", err
	}
	return t, nil
}

// DecodeFilter turns a binding key into a legal, normalised wide filter. An
// empty key is ErrEmpty; what has no legal form is the error of CheckWideFilter.
func (c Codec) DecodeFilter(key string) (string, error) {
	words := strings.Split(key, ".")
	for i, w := range words {
		switch w {
		case "*":
			words[i] = "+"
		case "#":
		default:
			words[i] = c.decode(w)
		}
	}
	if c.Sparkplug && words[0] == sparkplugWord {
		words[0] = sparkplugLevel
	}
	f := strings.Join(words, "/")
	if err := CheckWideFilter(f, Limits{}); err != nil {
		return "", err
	}
	return Normalize(f), nil
}

func (c Codec) decode(key string) string {
	if c.Plain {
		return plainSwap.Replace(key)
	}
	if !strings.ContainsAny(key, "%/+#\x00") {
		return strings.ReplaceAll(key, ".", "/")
	}
	out := make([]byte, 0, len(key)+16)
	for i := 0; i < len(key); i++ {
		switch b := key[i]; b {
		case '.':
			out = append(out, '/')
		case '/', '+', '#', 0:
			out = appendEscape(out, b)
		case '%':
			if d := unescape(key[i:]); d != 0 {
				out, i = append(out, d), i+2
				continue
			}
			out = append(out, b)
		default:
			out = append(out, b)
		}
	}
	return string(out)
}

var plainSwap = strings.NewReplacer(".", "/", "*", "+")

// unescape reads one of the escapes that decode, or returns 0. "%23" stays as
// it is, because '#' is illegal in a topic.
func unescape(s string) byte {
	if len(s) < 3 || s[1] != '2' {
		return 0
	}
	switch s[2] {
	case '5':
		return '%'
	case 'E', 'e':
		return '.'
	case 'A', 'a':
		return '*'
	}
	return 0
}
