package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// Unlimited is the word that takes a limit away.
const Unlimited = "unlimited"

// A Size is a number of bytes, written 512B, 64KiB, 16MiB, 1GiB, or as a plain number.
type Size int64

// A Rate is a number of events in a second, written 2000/s, 10/min or 5/h. Negative is unlimited.
type Rate float64

// A Percent is a share between 0 and 100, written 80%.
type Percent float64

var (
	errDuration = errors.New("a duration is written 500ms, 5s, 10m, 12h or 7d")
	errSize     = errors.New("a size is written 512B, 64KiB, 16MiB or 1GiB")
	errRate     = errors.New("a rate is written 2000/s, 10/min or 5/h")
	errPercent  = errors.New("a share is written 80%, between 0% and 100%")
)

// ParseDuration reads a duration with a unit of ns, us, ms, s, m, h or d; units may follow one another: 1d12h.
// A bare 0 is allowed, any other number without a unit is not.
func ParseDuration(s string) (time.Duration, error) {
	if s == "0" {
		return 0, nil
	}
	days, rest := int64(0), s
	if i := strings.IndexByte(s, 'd'); i > 0 {
		n, err := strconv.ParseInt(s[:i], 10, 32)
		if err != nil || n < 0 || n > 100_000 {
			return 0, errDuration
		}
		days, rest = n, s[i+1:]
		if rest == "" {
			return time.Duration(days) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || strings.HasPrefix(rest, "+") {
		return 0, errDuration
	}
	sum := time.Duration(days)*24*time.Hour + d
	if sum < d {
		return 0, errDuration
	}
	return sum, nil
}

// sizeUnits are the units of a size; the decimal ones are left out, since KB means two things.
var sizeUnits = []struct {
	name string
	n    int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"B", 1}, {"", 1}}

// ParseSize reads a number of bytes.
func ParseSize(s string) (Size, error) {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(number(strings.TrimSpace(digits)), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/u.n {
			return 0, errSize
		}
		return Size(n * u.n), nil
	}
	return 0, errSize
}

// ParseRate reads a rate.
func ParseRate(s string) (Rate, error) {
	if s == Unlimited {
		return -1, nil
	}
	count, unit, ok := strings.Cut(s, "/")
	n, err := strconv.ParseFloat(number(count), 64)
	if !ok || err != nil || n < 0 || math.IsInf(n, 0) || math.IsNaN(n) {
		return 0, errRate
	}
	switch unit {
	case "s":
		return Rate(n), nil
	case "min":
		return Rate(n / 60), nil
	case "h":
		return Rate(n / 3600), nil
	}
	return 0, errRate
}

// ParsePercent reads a share.
func ParsePercent(s string) (Percent, error) {
	digits, ok := strings.CutSuffix(s, "%")
	n, err := strconv.ParseFloat(digits, 64)
	if !ok || err != nil || !(n >= 0 && n <= 100) {
		return 0, errPercent
	}
	return Percent(n), nil
}

// number drops the underscores of 1_000_000, which YAML 1.2 does not know and people write.
func number(s string) string { return strings.ReplaceAll(s, "_", "") }

// String writes the size with the largest unit that leaves no rest.
func (s Size) String() string {
	for _, u := range []int{3, 2, 1, 0} {
		if n := sizeUnits[u].n; s != 0 && int64(s)%n == 0 {
			return strconv.FormatInt(int64(s)/n, 10) + sizeUnits[u].name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// String writes the rate for a second, or for a minute where only that is a whole number.
func (r Rate) String() string {
	if r < 0 {
		return Unlimited
	}
	if n := math.Round(float64(r) * 60); r != Rate(math.Trunc(float64(r))) && Rate(n/60) == r {
		return strconv.FormatFloat(n, 'f', -1, 64) + "/min"
	}
	return strconv.FormatFloat(float64(r), 'f', -1, 64) + "/s"
}

// String writes the share with its sign.
func (p Percent) String() string { return strconv.FormatFloat(float64(p), 'f', -1, 64) + "%" }

// FormatDuration writes a duration as people write it: 7d, 12h, 1m30s, 0s.
func FormatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
