package core

import "testing"

func TestSecurity_Namespace_APrincipalIsWhereItMayBe(t *testing.T) {
	t.Parallel()
	bound, many := &Principal{User: "a", Namespace: "plant"}, &Principal{User: "a", Namespace: "hq", Choice: []string{"hq", "plant"}}
	home := &Principal{User: "a", Choice: []string{DefaultNamespace, "plant"}}
	for _, x := range []struct {
		p           *Principal
		asked, want string // "": nowhere
	}{
		{bound, "", "plant"}, {bound, "plant", "plant"}, {bound, "hq", ""}, {bound, DefaultNamespace, ""},
		{many, "plant", "plant"}, {many, "hq", "hq"}, {many, "", ""}, {many, "../plant", ""},
		{home, "plant", "plant"}, {home, DefaultNamespace, DefaultNamespace},
		{Anonymous, DefaultNamespace, DefaultNamespace}, {Anonymous, "plant", ""},
	} {
		got := ""
		if p := x.p.In(x.asked); p != nil {
			if got = p.Namespace; got == "" {
				got = DefaultNamespace
			}
			if p.User != x.p.User {
				t.Errorf("another user: %+v", p)
			}
		}
		if got != x.want {
			t.Errorf("%s asks for %q: in %q, want %q", x.p.Namespace, x.asked, got, x.want)
		}
	}
}
