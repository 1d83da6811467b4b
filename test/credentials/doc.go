// Package credentials logs in by every protocol at one gateway with one set of users, over real sockets, and tries what
// the rules allow and deny.
//
// It is defined by docs/users.md, and by docs/security.md where that says what each protocol answers.
package credentials
