// Package access makes, from the sections auth, acl, roles and users of the configuration, who may log in and what they
// may do: one authenticator and one authorizer for every protocol. docs/security.md is the page for people.
package access
