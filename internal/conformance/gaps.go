package conformance

import "strings"

const gapsHead = "# What is known to be missing: a statement and what it lacks. Empty when all is there.\n"

// Missing lists what statements lack, as gaps.txt writes it: a statement that
// binds a server without a line, and one without a test.
func Missing(f *Found) (missing []string) {
	v5, v311, own, err := Lists()
	if err != nil {
		return []string{err.Error()}
	}
	for _, list := range [][]Statement{v5, v311} {
		for _, s := range list {
			if !s.Server() {
				continue
			}
			if len(f.Lines[s.ID]) == 0 {
				missing = append(missing, s.ID+" line")
			}
			if !tested(f, &s) {
				missing = append(missing, s.ID+" test")
			}
		}
	}
	for _, s := range own {
		if len(f.Tests[s.ID]) == 0 {
			missing = append(missing, s.ID+" test")
		}
	}
	return missing
}

// tested tells that a test cites the statement or is named for one of ours
// that holds it.
func tested(f *Found, s *Statement) bool {
	if len(f.Tests[s.ID]) > 0 {
		return true
	}
	for _, h := range s.Held {
		if len(f.Tests[h]) > 0 {
			return true
		}
	}
	return false
}

// Gaps is what gaps.txt allows to be missing.
func Gaps() (list []string) {
	for line := range strings.Lines(gaps) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			list = append(list, line)
		}
	}
	return list
}
