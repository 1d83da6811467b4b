package scale

import (
	"os"
	"strconv"
	"testing"

	"github.com/entrepot/entrepot/test/rig"
)

// factor is how much longer than usual the storms are.
func factor(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SCALE")
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("SCALE=%s is no number", text)
	}
	return n
}

// start runs a gateway with a store on disk. When the test ends, no goroutine may be left of it.
func start(t *testing.T, set ...string) *rig.Gateway {
	t.Helper()
	return rig.Start(t, rig.Options{Listen: []string{"mqtt"}, Set: set, Alone: true})
}
