package config

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// A veil keeps secrets out of excerpts and arguments, also of files that could not be understood: there the names of the
// keys are all that tells. SECURITY S10
type veil struct {
	inline *regexp.Regexp // key: value, on one line
	opens  *regexp.Regexp // key: and the value on the next lines
	query  *regexp.Regexp // key=value
	login  *regexp.Regexp // user:password@ in a URL
}

// secretNames are keys that hold secrets whatever section they are in.
var secretNames = []string{"password", "passcode", "passphrase", "secret", "token", "hmac", "api_key", "psk_key"}

// veil makes the veil of all keys whose type is Secret, and of those that were misspelled and may have been meant as one.
func (s schema) veil(misspelled ...string) *veil {
	names := map[string]bool{}
	for _, n := range secretNames {
		names[n] = true
	}
	seen := map[reflect.Type]bool{}
	secretKeys(reflect.TypeFor[Config](), names, seen)
	for _, section := range s.sections {
		secretKeys(reflect.TypeOf(section), names, seen)
	}
	known := slices.Sorted(maps.Keys(names))
	for _, key := range misspelled {
		if Nearest(key, known) != "" {
			names[regexp.QuoteMeta(key)] = true
		}
	}
	list := strings.Join(slices.Sorted(maps.Keys(names)), "|")
	const value = `("(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?|[^\s,}\]'"][^,}\]]*)`
	return &veil{
		inline: regexp.MustCompile(`((?:^|[^\w])["']?(?:` + list + `)["']?\s*:\s*)` + value),
		opens:  regexp.MustCompile(`^([\s-]*)["']?(?:` + list + `)["']?\s*:\s*(?:[|>&!].*|#.*|"[^"]*|'[^']*)?$`),
		query:  regexp.MustCompile(`((?:^|[^\w])(?:` + list + `)(?:[.\[][\w.\[\]]*)?=)[^&\s]*`),
		login:  regexp.MustCompile(`((?://|:/)[^/\s@:]*:)[^@\s]*@`), // what is no URL yet because of a colon or slash that is missing, too
	}
}

// secretKeys gathers the names of the keys whose type is Secret.
func secretKeys(t reflect.Type, names map[string]bool, seen map[reflect.Type]bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || isScalar(t) || seen[t] {
		return
	}
	seen[t] = true
	for _, f := range fields(t) {
		inner := t.FieldByIndex(f.index).Type
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner == secretType || inner.Kind() == reflect.Map && inner.Elem() == secretType {
			names[regexp.QuoteMeta(f.name)] = true
			continue
		}
		secretKeys(inner, names, seen)
	}
}

// file is the text of a file by lines, with *** for secrets.
func (v *veil) file(text []byte) []string {
	lines := strings.Split(string(text), "\n")
	deeper := -1 // of the key whose value goes on: its indentation
	for i, line := range lines {
		indent := len(line) - len(strings.TrimLeft(line, " -"))
		if deeper >= 0 && (indent > deeper || strings.TrimSpace(line) == "") {
			if strings.TrimSpace(line) != "" {
				lines[i] = line[:indent] + hidden
			}
			continue
		}
		deeper = -1
		if m := v.opens.FindStringSubmatch(strings.TrimRight(line, "\r")); m != nil {
			deeper = len(m[1])
		}
		lines[i] = v.line(line)
	}
	return lines
}

func (v *veil) line(s string) string {
	return v.url(v.inline.ReplaceAllString(s, "${1}"+hidden))
}

// url hides the password of a URL.
func (v *veil) url(s string) string { return v.login.ReplaceAllString(s, "${1}"+hidden+"@") }

// argument hides the value of a flag.
func (v *veil) argument(s string) string {
	return v.url(v.query.ReplaceAllString(v.line(s), "${1}"+hidden))
}

// column is where a column of the line is after it was veiled: what follows a secret keeps its distance to the end.
func (v *veil) column(raw, veiled string, column int) int {
	if raw == veiled || column-1 > len(raw) {
		return column
	}
	same := 0
	for same < min(len(raw), len(veiled)) && raw[same] == veiled[same] {
		same++
	}
	if column-1 <= same {
		return column
	}
	return max(same+1, len(veiled)-(len(raw)-column))
}
