package rig

import (
	"fmt"
	"time"
)

// Until polls a condition that another goroutine makes true.
func Until(what string, done func() bool) error {
	tick, end := time.NewTicker(2*time.Millisecond), time.After(Patience)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-end:
			if done() {
				return nil
			}
			return fmt.Errorf("%s did not happen in %v", what, Patience)
		}
	}
	return nil
}

// Wait is Until for a test that cannot go on without it.
func (g *Gateway) Wait(what string, done func() bool) {
	g.Helper()
	if err := Until(what, done); err != nil {
		g.Fatal(err)
	}
}
