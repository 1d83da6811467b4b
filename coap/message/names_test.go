package message

import "testing"

func TestCodesPrintTheSpecificationsSpelling(t *testing.T) {
	t.Parallel()
	for c, want := range map[Code]string{
		Empty: "0.00 Empty", GET: "0.01 GET", IPATCH: "0.07 iPATCH", Created: "2.01 Created", Continue: "2.31 Continue",
		RequestEntityIncomplete: "4.08 Request Entity Incomplete", Conflict: "4.09 Conflict", UnprocessableEntity: "4.22 Unprocessable Entity",
		TooManyRequests: "4.29 Too Many Requests", ProxyingNotSupported: "5.05 Proxying Not Supported", HopLimitReached: "5.08 Hop Limit Reached",
		Code(7<<5 | 1): "7.01", Code(2<<5 | 7): "2.07",
	} {
		if c.String() != want {
			t.Errorf("%d: %s, want %s", c, c, want)
		}
	}
}

func TestEveryCodeIsOfOneKind(t *testing.T) {
	t.Parallel()
	for i := range 256 {
		c := Code(i)
		reserved := c.Class() == 1 || c.Class() >= 6
		n := 0
		for _, is := range []bool{c == Empty, c.IsRequest(), c.IsResponse(), reserved} {
			if is {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%v is of %d kinds", c, n)
		}
	}
}

func TestOptionNumbersPrintTheirNames(t *testing.T) {
	t.Parallel()
	for n, d := range definitions {
		if n.String() != d.name {
			t.Errorf("%d prints %q", n, n)
		}
		if n > RequestTag {
			t.Errorf("%v does not fit the table", n)
		}
	}
	if s := Number(65001).String(); s != "Option-65001" {
		t.Error(s)
	}
}
