//go:build !race

package core

const spoils = false
