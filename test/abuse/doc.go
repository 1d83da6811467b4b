// Package abuse sends bad input to every listener of a running gateway and looks at what it says, at what it keeps, and at
// whether anybody else notices. The rows are those of the attack list that docs/security.md defines; the answers are the
// protocols' own.
//
// ABUSE_MUTATE=5m makes the random part run for that long (`make attack`).
package abuse
