package abuse

import "testing"

func TestAbuse(t *testing.T) {
	g := start(t)
	p := g.pulse()
	defer p.close()
	if err := p.admits(); err != nil {
		t.Fatal(err)
	}
	before := measure()
	t.Run("rows", func(t *testing.T) { g.rows(t, p) })
	if err := p.admits(); err != nil {
		t.Fatal(err)
	}
	g.flat(before, 5<<20)
}
