package config

import (
	"fmt"
	"slices"
)

// didYouMean names the known word that is nearest to a mistyped one, or nothing if none is near.
func didYouMean(word string, known []string) string {
	if w := Nearest(word, known); w != "" {
		return fmt.Sprintf("did you mean %q?", w)
	}
	return ""
}

// Nearest returns the known word within an edit distance of 2, or of 3 for words of more than 8 letters; empty if there is none.
func Nearest(word string, known []string) string {
	limit := 2
	if len(word) > 8 {
		limit = 3
	}
	best, bestAt := "", limit+1
	known = slices.Sorted(slices.Values(known))
	for _, k := range known {
		// A word of two letters is not a slip of any other word of two letters.
		if d := distance(word, k); d < bestAt && d < max(len(word), len(k)) {
			best, bestAt = k, d
		}
	}
	return best
}

// distance is Levenshtein's: the number of letters to insert, delete or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
