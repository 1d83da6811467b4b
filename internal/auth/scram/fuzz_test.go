package scram

import (
	"strings"
	"testing"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// Whatever comes, nobody is admitted but by the one proof, and a known user
// gets the answers of an unknown one.
func FuzzConversation(f *testing.F) {
	for _, in := range [][2]string{
		{first, final}, {first, challenge}, {"y,,n=user,r=x", "c=eSws,r=x,p="}, {"n,a=user,n=user,r=x", ""}, {"p=tls-unique,,n=user,r=x", ""},
		{"n,,n=us=2Cer,r=x", "c=biws,r=x,e=1,p=AA=="}, {"n,,m=1,n=user,r=x", "p="}, {"n,,,", ",,"}, {"n,,n=user,r=\xff", "\x00"}, {"n,,n==,r=x", "c=,r=,p="},
	} {
		f.Add([]byte(in[0]), []byte(in[1]))
	}
	p, s := vector(f)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		p.asked = nil
		c := s.Begin(adapters.Credentials{})
		one := c.Step(t.Context(), a)
		two := c.Step(t.Context(), b)
		if two.Principal != nil && (string(b) != final || !strings.HasSuffix(string(a), first[3:])) {
			t.Fatalf("%q and %q were let in", a, b)
		}
		if one.Principal != nil || one.Reason != core.OK && one.Data != nil || two.Reason != core.OK && two.Data != nil {
			t.Fatalf("%q: %v, %q: %v", a, one, b, two)
		}
		if one.Reason == core.OK && a != nil && len(p.asked) != 1 {
			t.Fatalf("%q was challenged and nobody looked up", a)
		}
	})
}
