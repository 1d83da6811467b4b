package limit

import (
	"fmt"
	"testing"

	"github.com/entrepot/entrepot/core"
)

func TestTakeoversOfThePastAreForgotten(t *testing.T) {
	t.Parallel()
	var x Takeovers
	for n := range 100_000 {
		now := core.Time(n) // a thousand sessions a second
		x.Ask(now, &core.Client{ID: fmt.Sprint(n)}, nil, true)
		if len(x.ids) > 1000 {
			t.Fatalf("%d sessions are remembered", len(x.ids))
		}
	}
}
