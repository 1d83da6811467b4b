package acl

import "github.com/entrepot/entrepot/core/topic"

// A DeadRule allows nothing, because another takes all of it back.
type DeadRule struct{ Rule, By Rule }

// Dead are the rules of a list that allow nothing, each with the first that denies it as a whole. Placeholders are taken for
// words that only they match.
func Dead(rules []Rule) (list []DeadRule) {
	for _, r := range rules {
		if r.Deny {
			continue
		}
		left := r.Verbs
		for _, d := range rules {
			if !d.Deny {
				continue
			}
			if r.Level != None {
				if d.Level == Viewer { // the lowest
					list = append(list, DeadRule{r, d})
					break
				}
				continue
			}
			if d.Level != None || !topic.Covers(d.Filter.String(), r.Filter.String()) {
				continue
			}
			if left &^= d.Verbs; left == 0 {
				list = append(list, DeadRule{r, d})
				break
			}
		}
	}
	return list
}

// Intersects tells that a subscription needs to overlap an allowed filter only.
func (p *Policy) Intersects() bool { return p.options.Intersect }
