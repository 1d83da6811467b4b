package exchange

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// headerOf is a field value as a header of the core (section 6, "Typed
// values").
func headerOf(name string, v wire.Value) core.Header {
	h := core.Header{Name: name}
	if n, ok := v.Int(); ok {
		h.Kind, h.Bits = core.Int, uint64(n)
	} else if f, ok := v.Float(); ok {
		h.Kind, h.Bits = core.Float, math.Float64bits(f)
	} else if b, ok := v.Bool(); ok {
		h.Kind = core.Bool
		if b {
			h.Bits = 1
		}
	} else if s, ok := v.Timestamp(); ok {
		h.Kind, h.Bits = core.Date, s*1000
	} else if n, scale, ok := v.Decimal(); ok {
		h.Text = decimal(n, scale)
	} else {
		textual(&h, v)
	}
	return h
}

func textual(h *core.Header, v wire.Value) {
	switch v.Type {
	case 'V':
		h.Kind = core.Null
	case 'A', 'F':
		h.Kind, h.Text = core.JSON, string(appendJSON(nil, v))
	default:
		h.Text = string(v.Raw)
		if v.Type == 'x' || !utf8.ValidString(h.Text) || strings.IndexByte(h.Text, 0) >= 0 {
			h.Kind = core.Bytes
		}
	}
}

// decimal is n / 10^scale, exactly.
func decimal(n int32, scale uint8) string {
	s := strconv.Itoa(int(n))
	if scale == 0 {
		return s
	}
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	if pad := int(scale) + 1 - len(s); pad > 0 {
		s = strings.Repeat("0", pad) + s
	}
	at := len(s) - int(scale)
	return sign + s[:at] + "." + s[at:]
}

// appendJSON writes nested values as text; octets are base64.
func appendJSON(dst []byte, v wire.Value) []byte {
	switch v.Type {
	case 'F':
		t, _ := v.Table()
		return appendObject(dst, t)
	case 'A':
		dst = append(dst, '[')
		sep := ""
		for e := range v.Array() {
			dst = appendJSON(append(dst, sep...), e)
			sep = ","
		}
		return append(dst, ']')
	case 'V':
		return append(dst, "null"...)
	case 'x':
		return append(append(append(dst, '"'), base64.StdEncoding.EncodeToString(v.Raw)...), '"')
	}
	h := headerOf("", v)
	switch {
	case h.Kind == core.Bytes:
		return append(append(append(dst, '"'), base64.StdEncoding.EncodeToString(v.Raw)...), '"')
	case h.Kind == core.Text && v.Type == 'S', h.Kind == core.Date:
		return appendQuoted(dst, h.String())
	case h.Kind == core.Float && !finite(math.Float64frombits(h.Bits)):
		return append(dst, "null"...)
	}
	return append(dst, h.String()...)
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// JSON is a table as a JSON object: what is no text in base64.
func JSON(t wire.Table) []byte { return appendObject(nil, t) }

func appendObject(dst []byte, t wire.Table) []byte {
	dst = append(dst, '{')
	sep := ""
	for name, v := range t.All() {
		dst = appendQuoted(append(dst, sep...), strings.ToValidUTF8(string(name), "\uFFFD"))
		dst = appendJSON(append(dst, ':'), v)
		sep = ","
	}
	return append(dst, '}')
}

// appendQuoted writes a JSON string.
func appendQuoted(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// valueOf is a header of the core as a field value.
func valueOf(h core.Header) wire.Value {
	switch h.Kind {
	case core.Int:
		return wire.Int(int64(h.Bits))
	case core.Uint:
		if h.Bits <= math.MaxInt64 {
			return wire.Int(int64(h.Bits))
		}
	case core.Float:
		return wire.Double(math.Float64frombits(h.Bits))
	case core.Bool:
		return wire.Bool(h.Bits != 0)
	case core.Date:
		return wire.Timestamp(uint64(max(0, int64(h.Bits)/1000)))
	case core.Null:
		return wire.Void()
	case core.Bytes:
		return wire.Octets([]byte(h.Text))
	}
	return wire.Longstr(h.String())
}
