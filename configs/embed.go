// Package configs holds the documented configuration of all defaults, for those who show it, and examples
// (docs/configuration.md).
package configs

import _ "embed"

// Default is every key with its default and its comment.
//
//go:embed default.yaml
var Default []byte
