//go:build race

package core

// spoils makes the payload of a message whose memory is used again unreadable,
// so that tests with the race detector find who looks at it.
const spoils = true
