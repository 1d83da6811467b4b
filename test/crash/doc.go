// Package crash kills the gateway amid mixed load of every protocol, again and again, and checks against a ledger of its own
// that nothing which was acknowledged is missing, doubled or out of order.
//
// `make test` runs a few rounds; CRASH=N, or `make crash`, runs N of them. docs/guarantees.md says what is promised.
package crash
