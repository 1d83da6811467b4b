package topic

import "strings"

// maxHashes bounds the multi-level wildcards of a wide filter, and with them
// the ways in which it can match one name.
const maxHashes = 4

// CheckFilter says whether filter is legal in MQTT: text as in CheckName, '#'
// alone or as the whole last level [MQTT-4.7.1-1], '+' as a whole level
// [MQTT-4.7.1-2].
// [3: MQTT-4.7.1-2] [3: MQTT-4.7.1-3]
func CheckFilter(filter string, l Limits) error {
	if err := checkText(filter, l); err != nil {
		return err
	}
	hashes, err := countHashes(filter)
	if err == nil && hashes > 0 && (hashes > 1 || !strings.HasSuffix(filter, "#")) {
		err = ErrWildcard
	}
	return err
}

// CheckWideFilter is CheckFilter for filters that may hold '#' at any level, at
// most four that remain after Normalize (ErrManyHashes).
func CheckWideFilter(filter string, l Limits) error {
	if err := checkText(filter, l); err != nil {
		return err
	}
	hashes, err := countHashes(filter)
	if err == nil && hashes > maxHashes {
		if hashes, err = countHashes(Normalize(filter)); hashes > maxHashes {
			err = ErrManyHashes
		}
	}
	return err
}

// countHashes counts the levels '#'; a wildcard that is not a whole level is
// ErrWildcard.
func countHashes(filter string) (hashes int, err error) {
	for pos := first(filter); pos <= len(filter); {
		end := levelEnd(filter, pos)
		level := filter[pos:end]
		switch {
		case level == "#":
			hashes++
		case level == "+":
		case strings.IndexByte(level, '+') >= 0 || strings.IndexByte(level, '#') >= 0:
			return 0, ErrWildcard
		}
		pos = end + 1
	}
	return hashes, nil
}

// IsFilter says whether s has a wildcard level.
func IsFilter(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c == '+' || c == '#') && (i == 0 || s[i-1] == '/') && (i+1 == len(s) || s[i+1] == '/') {
			return true
		}
	}
	return false
}

// Normalize gives filters that mean the same the same text: in a run of
// wildcards that holds a '#', the '+' come first and one '#' is left. So "#/#"
// is "#", and "a/#/+" is "a/+/#".
func Normalize(filter string) string {
	if i := strings.Index(filter, "#/"); i < 0 || !movesHash(filter[i:]) {
		return filter
	}
	out := make([]string, 0, 16)
	hash := false
	flush := func() {
		if hash {
			out = append(out, "#")
		}
		hash = false
	}
	for _, level := range split(filter) {
		if level == "#" {
			hash = true
			continue
		}
		if level != "+" {
			flush()
		}
		out = append(out, level)
	}
	flush()
	return strings.Join(out, "/")
}

// movesHash says whether a '#' is followed by another wildcard level.
func movesHash(s string) bool {
	return strings.Contains(s, "#/#") || strings.Contains(s, "#/+")
}
