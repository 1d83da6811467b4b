// Package credentials logs in by every protocol at one gateway with one set of users, over real sockets, and tries what
// the rules allow and deny.
//
// It is defined by docs/credentials.md.
package credentials
