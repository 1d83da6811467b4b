// Package acl decides who may do what: roles of rules, compiled once and shared by everybody who has them.
//
// A rule is `["deny"] verbs filter`. Nothing is allowed that no rule allows, and a rule that denies beats every rule
// that allows, whatever their order. Placeholders ({client}, {user}, {ns}, {attr.NAME}) stand for one literal level:
// they are compared byte for byte and never parsed again, so a value can bring neither a level nor a wildcard.
// docs/security.md is the page for people.
package acl
