// Package auth turns what a peer shows of itself into a principal: the strongest evidence decides, backends are asked in
// order, and the first that knows a name decides about it, also when it says no. Whatever goes wrong denies.
// docs/security.md is the page for people.
package auth
