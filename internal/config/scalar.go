package config

import (
	"encoding"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

// isScalar tells whether values of the type are written as one word.
func isScalar(t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(textUnmarshaler) {
		return true
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Slice, reflect.Map, reflect.Pointer:
		return false
	}
	return true
}

// scalarValue decodes one word into v.
func (d *decoder) scalarValue(n *node, v reflect.Value, tag reflect.StructTag, path string) {
	if n.kind == kindNull {
		d.fail(n.at, CodeType, path, path+" has no value").Hint = "leave the key out for its default"
		return
	}
	if n.kind != kindScalar {
		d.fail(n.at, CodeType, path, fmt.Sprintf("%s is one value, not %s", path, n.describe()))
		return
	}
	if v.Type() == secretType {
		word, err := d.secret(n, path)
		if err != nil {
			d.fail(n.at, CodeSecret, path, path+": "+err.Error())
		}
		v.Set(reflect.ValueOf(word))
		return
	}
	if err := setScalar(v, n.text, tag); err != nil {
		var range_ rangeError
		code := CodeType
		if errors.As(err, &range_) {
			code = CodeRange
		}
		said := strconv.Quote(clip(n.shown()))
		if _, ok := v.Addr().Interface().(interface{ Concealed() }); ok {
			said = "what is written" // SECURITY S10
		}
		p := d.fail(n.at, code, path, fmt.Sprintf("%s: %s is not valid: %s", path, said, err))
		if words := enum(tag); words != nil {
			p.Hint = didYouMean(n.text, words)
		}
		return
	}
	if v.Type() == fileType {
		v.SetString(string(n.at.settle(File(n.text))))
	}
	if word, ok := tag.Lookup("path"); ok && n.text != word { // C13
		v.SetString(string(n.at.settle(File(n.text))))
	}
	if prefix := tag.Get("file"); prefix != "" {
		if file, ok := strings.CutPrefix(n.text, prefix); ok {
			v.SetString(prefix + string(n.at.settle(File(file))))
		}
	}
	n.locate(v)
}

// locate tells a value where it was written, if it wants to know.
func (n *node) locate(v reflect.Value) {
	if l, ok := v.Addr().Interface().(locator); ok {
		l.Locate(n.at.file, n.at.line)
	}
}

// A locator is a value that wants to know where it was written: the file and its line, or a flag or the environment and 0.
type locator interface {
	Locate(file string, line int)
}

// A rangeError is a value of the right kind that is too small or too large.
type rangeError struct{ min, max string }

func (e rangeError) Error() string {
	switch {
	case e.min == "":
		return "at most " + e.max
	case e.max == "":
		return "at least " + e.min
	}
	return "between " + e.min + " and " + e.max
}

// setScalar parses text as v's type and stores it, if it is within the tag's bounds.
func setScalar(v reflect.Value, text string, tag reflect.StructTag) error {
	if words := enum(tag); words != nil && !slices.Contains(words, text) {
		return errors.New("it must be " + join(words))
	}
	if number := tag.Get("unlimited"); number != "" && text == Unlimited {
		return setUnlimited(v, number)
	} else if err := bounded(v, text, tag); err != nil {
		return err
	}
	return parseScalar(v, text)
}

// setUnlimited stores the number that stands for the word; for sizes and rates it may be one that nobody can write.
func setUnlimited(v reflect.Value, number string) error {
	if i, err := strconv.ParseInt(number, 10, 64); err == nil {
		switch p := v.Addr().Interface().(type) {
		case *Size:
			*p = Size(i)
			return nil
		case *Rate:
			*p = Rate(i)
			return nil
		}
	}
	return parseScalar(v, number)
}

// bounded compares the value with the tags min and max, which are written like values.
func bounded(v reflect.Value, text string, tag reflect.StructTag) error {
	lo, hi := tag.Get("min"), tag.Get("max")
	if lo == "" && hi == "" {
		return nil
	}
	value := reflect.New(v.Type()).Elem()
	if err := parseScalar(value, text); err != nil {
		return err
	}
	bound := reflect.New(v.Type()).Elem()
	if lo != "" && parseScalar(bound, lo) == nil && asFloat(value) < asFloat(bound) {
		return rangeError{lo, hi}
	}
	if hi != "" && parseScalar(bound, hi) == nil && asFloat(value) > asFloat(bound) {
		return rangeError{lo, hi}
	}
	return nil
}

func asFloat(v reflect.Value) float64 {
	switch {
	case v.CanInt():
		return float64(v.Int())
	case v.CanUint():
		return float64(v.Uint())
	case v.CanFloat():
		return v.Float()
	}
	return 0
}

func parseScalar(v reflect.Value, text string) error {
	switch p := v.Addr().Interface().(type) {
	case *time.Duration:
		d, err := ParseDuration(text)
		*p = d
		return err
	case *Size:
		s, err := ParseSize(text)
		*p = s
		return err
	case *Rate:
		r, err := ParseRate(text)
		*p = r
		return err
	case *Percent:
		r, err := ParsePercent(text)
		*p = r
		return err
	case *netip.Prefix:
		return parsePrefix(p, text)
	case *netip.Addr:
		a, err := netip.ParseAddr(text)
		*p = a
		if err != nil {
			return errors.New("it must be an address such as 10.0.0.1 or fe80::1")
		}
		return nil
	case encoding.TextUnmarshaler:
		return p.UnmarshalText([]byte(text))
	}
	return parseKind(v, text)
}

func parseKind(v reflect.Value, text string) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return errors.New("it must be true or false")
		}
		v.SetBool(text == "true")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		i, err := parseInt(text)
		if err != nil {
			return err
		}
		if v.OverflowInt(i) {
			return errors.New("the number is too large")
		}
		v.SetInt(i)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		i, err := parseInt(text)
		if err != nil {
			return err
		}
		if i < 0 || v.OverflowUint(uint64(i)) {
			return errors.New("the number is negative or too large")
		}
		v.SetUint(uint64(i))
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(number(text), 64)
		if err != nil || f != f || f > 1e300 || f < -1e300 {
			return errors.New("it must be a number")
		}
		v.SetFloat(f)
	default:
		return errors.New("the key cannot be set by a word")
	}
	return nil
}

// parseInt reads a whole number; where it counts bytes it may carry a unit.
func parseInt(text string) (int64, error) {
	if i, err := strconv.ParseInt(number(text), 10, 64); err == nil {
		return i, nil
	}
	if s, err := ParseSize(text); err == nil {
		return int64(s), nil
	}
	if text == Unlimited {
		return 0, errors.New("this key has no unlimited; give a number")
	}
	return 0, errors.New("it must be a whole number, or a size such as 64KiB")
}

func parsePrefix(p *netip.Prefix, text string) error {
	if a, err := netip.ParseAddr(text); err == nil {
		*p = netip.PrefixFrom(a, a.BitLen())
		return nil
	}
	prefix, err := netip.ParsePrefix(text)
	*p = prefix
	if err != nil {
		return errors.New("it must be a range such as 10.0.0.0/8, or an address")
	}
	return nil
}

func enum(tag reflect.StructTag) []string {
	if words := tag.Get("enum"); words != "" {
		return strings.Split(words, ",")
	}
	return nil
}

// join lists words for a sentence: a, b or c.
func join(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
