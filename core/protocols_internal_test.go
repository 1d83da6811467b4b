package core

import (
	"fmt"
	"testing"
)

func TestProtocolsAreNumberedOnce(t *testing.T) {
	var x protocols
	a, b := x.of("mqtt"), x.of("coap")
	if a == b || a == 0 || b == 0 || x.of("mqtt") != a || x.name(a) != "mqtt" || x.name(b) != "coap" || x.name(0) != "" {
		t.Errorf("%d %d", a, b)
	}
	for i := range 300 {
		x.of(fmt.Sprint(i))
	}
	if n := x.of("one more"); n != 0 || x.of("coap") != b {
		t.Errorf("the number of one too many is %d", n)
	}
}
