package topic

// Covers says whether allow matches every name that filter matches, the rule
// for '$' included. Both may be wide. It takes time exponential in the '#' of
// filter (at most four) where allow has long runs of '+', so allow should come
// from the configuration, not from a client.
func Covers(allow, filter string) bool {
	c := cover{allow: split(allow), filter: split(filter)}
	from := make(states, len(c.allow)+1)
	from[0] = true
	c.rest(from)
	return c.covers(from, 0, true)
}

// states is a set of positions in a filter.
type states []bool

type cover struct{ allow, filter []string }

// covers says whether every name that the filter matches from level i on brings
// allow from one of the states to its end. For a wildcard of the filter the
// worst name has a level that no literal equals, so that one is tried.
func (c *cover) covers(s states, i int, start bool) bool {
	if i == len(c.filter) {
		return s[len(c.allow)]
	}
	level := c.filter[i]
	if level != "#" {
		if start && i > 0 && hidden(level) {
			return true // not a name that this filter matches
		}
		return c.covers(c.step(s, level, start), i+1, false)
	}
	for {
		if !c.covers(s, i+1, start) {
			return false
		}
		next := c.step(s, "+", start)
		if !start && equal(next, s) {
			return true
		}
		s, start = next, false
	}
}

// step consumes one level of the name; "+" is one that no literal equals.
func (c *cover) step(s states, level string, start bool) states {
	next := make(states, len(s))
	for i, in := range s[:len(c.allow)] {
		switch a := c.allow[i]; {
		case !in:
		case start && hidden(level) && leadingWildcard(c.allow[0]): // [MQTT-4.7.2-1]
		case a == "#":
			next[i] = true
		case a == "+" || (a == level && level != "+"):
			next[i+1] = true
		}
	}
	c.rest(next)
	return next
}

// rest adds the states that are reached when '#' takes no level.
func (c *cover) rest(s states) {
	for i, a := range c.allow {
		if s[i] && a == "#" {
			s[i+1] = true
		}
	}
}

func equal(a, b states) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// Overlaps says whether there is a name that both filters match, the rule for
// '$' included.
func Overlaps(a, b string) bool {
	x, y := split(a), split(b)
	wild := leadingWildcard(a) || leadingWildcard(b)
	// met[i][j]: the first i levels of a and j of b match one beginning of a
	// name; index 0 while that beginning is empty, 1 when it is not.
	met := make([][2]bool, (len(x)+1)*(len(y)+1))
	at := func(i, j int) *[2]bool { return &met[i*(len(y)+1)+j] }
	at(0, 0)[0] = true
	for i := range len(x) + 1 {
		for j := range len(y) + 1 {
			for started, in := range at(i, j) {
				if in {
					meet(x, y, i, j, started, wild, at)
				}
			}
		}
	}
	end := at(len(x), len(y))
	return end[0] || end[1]
}

// meet marks what follows from one state of Overlaps.
func meet(x, y []string, i, j, started int, wild bool, at func(i, j int) *[2]bool) {
	if i < len(x) && x[i] == "#" {
		at(i+1, j)[started] = true
	}
	if j < len(y) && y[j] == "#" {
		at(i, j+1)[started] = true
	}
	if i == len(x) || j == len(y) {
		return
	}
	p, q := x[i], y[j]
	literal := p
	if p == "+" || p == "#" {
		literal = q
	}
	switch {
	case started == 0 && wild && hidden(literal): // [MQTT-4.7.2-1]
	case p == "#" && q == "#":
		at(i, j)[1] = true
	case p == "#":
		at(i, j+1)[1] = true
	case q == "#":
		at(i+1, j)[1] = true
	case p == "+" || q == "+" || p == q:
		at(i+1, j+1)[1] = true
	}
}
