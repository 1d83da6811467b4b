package topic

// Matches says whether filter, wide or not, matches name under the rules of
// MQTT: '#' matches its parent too, '+' matches an empty level, and a leading
// wildcard does not match a name that begins with '$' [MQTT-4.7.2-1].
// [3: MQTT-4.7.2-1]
func Matches(filter, name string) bool {
	if leadingWildcard(filter) && hidden(name) {
		return false
	}
	return matches(filter, name)
}

// matches is Matches where '$' has no meaning. It returns to the last '#' only,
// so the cost is at most the product of the levels.
func matches(filter, name string) bool {
	f, n := first(filter), first(name)
	backF, backN := -1, 0
	for {
		if f <= len(filter) {
			fEnd := levelEnd(filter, f)
			level := filter[f:fEnd]
			if level == "#" {
				if fEnd == len(filter) {
					return true
				}
				f = fEnd + 1
				backF, backN = f, n
				continue
			}
			if n <= len(name) {
				if nEnd := levelEnd(name, n); level == "+" || level == name[n:nEnd] {
					f, n = fEnd+1, nEnd+1
					continue
				}
			}
		} else if n > len(name) {
			return true
		}
		if backF < 0 || backN > len(name) {
			return false
		}
		backN = levelEnd(name, backN) + 1 // let the last '#' take one level more
		f, n = backF, backN
	}
}
