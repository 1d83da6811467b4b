// Package abuse sends bad input to every listener of a running gateway and looks at what it says, at what it keeps, and at
// whether anybody else notices. The rows are those of the attack list that docs/security.md defines; the answers are the
// protocols' own.
//
// The attack list's rows are in tables where one conversation shows them, and in tests of their own where it takes more
// (TestSECURITY_...); list_test.go says where each is proved, and a test fails when that is not true.
//
// ATTACK=full takes the list's own numbers, ATTACK_TARGET=mqtt://host:port another broker, ABUSE_SOAK=1h churns for so long.
// ABUSE_MUTATE=5m makes the random part run for that long (`make attack`).
package abuse
