package mqtt

import "testing"

func TestMQTT_MA1_AnAliasIsSetReplacedAndUsed(t *testing.T) {
	t.Parallel()
	var a aliasesIn
	if _, known := a.resolve(3, nil); known {
		t.Error("an alias that was never set is known")
	}
	buf := []byte("a/b")
	a.resolve(3, buf)
	buf[0] = 'X' // the table must not point into the input
	if name, known := a.resolve(3, nil); !known || string(name) != "a/b" {
		t.Errorf("%q, %v", name, known)
	}
	a.resolve(3, []byte("c"))
	if name, _ := a.resolve(3, nil); string(name) != "c" {
		t.Errorf("replaced alias is %q", name)
	}
	if _, known := a.resolve(1, nil); known {
		t.Error("alias 1 is known")
	}
}

func TestMQTT_MA3_TheFirstTopicsGetAnAliasAndKeepIt(t *testing.T) {
	t.Parallel()
	a := aliasesOut{max: 2}
	for i, name := range []string{"a", "b"} {
		n, fresh := a.lookup(name)
		if n != uint16(i+1) || !fresh {
			t.Fatalf("%s: %d, %v", name, n, fresh)
		}
		if again, fresh := a.lookup(name); again != n || !fresh { // MA4: not sent, not set
			t.Fatalf("%s: unset alias became %d, %v", name, again, fresh)
		}
		a.set(name, n)
	}
	if n, _ := a.lookup("c"); n != 0 {
		t.Errorf("a third topic got %d", n)
	}
	if n, fresh := a.lookup("a"); n != 1 || fresh {
		t.Errorf("a: %d, %v", n, fresh)
	}
	var none aliasesOut
	if n, _ := none.lookup("a"); n != 0 {
		t.Error("an alias without a maximum")
	}
}
