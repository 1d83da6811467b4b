package abuse

import "testing"

func TestPulse(t *testing.T) {
	g := start(t)
	p := g.pulse()
	defer p.close()
	for range 100 {
		if err := p.beat(); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.admits(); err != nil {
		t.Fatal(err)
	}
	for k, v := range g.metrics() {
		if v > 0 {
			t.Log(k, v)
		}
	}
}
