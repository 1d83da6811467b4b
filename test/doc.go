// Package test holds what concerns the whole house: the arrow test, the cross-protocol matrix (test/matrix) and
// interoperability with real clients (test/interop). DESIGN.md section 2 defines the arrows.
package test
