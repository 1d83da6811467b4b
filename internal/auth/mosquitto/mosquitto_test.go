package mosquitto

import (
	"fmt"
	"strings"
	"testing"
)

func TestPasswordFiles(t *testing.T) {
	const hash = "$7$101$c2FsdHNhbHRzYWx0$" +
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
	text := "# users\n\njoe:" + hash + "\r\nno colon\n:" + hash + "\nplain:secret\nann:" + hash + "\njoe:" + hash + "\nbad+:" + hash + "\n"
	users, problems, err := Passwords(strings.NewReader(text), "pw")
	if err != nil {
		t.Fatal(err)
	}
	var names, lines []string
	for _, u := range users {
		names = append(names, u.Name+"@"+u.At)
	}
	for _, p := range problems {
		lines = append(lines, fmt.Sprint(p.Line, p.Warning))
		if strings.Contains(p.Message, "secret") {
			t.Errorf("the password is shown: %s", p.Message)
		}
	}
	if got := strings.Join(names, " "); got != "joe@pw:8 ann@pw:7" {
		t.Errorf("users %s", got)
	}
	if got := strings.Join(lines, " "); got != "4false 5false 6false 8true 9false" && got != "4 false 5 false 6 false 8 true 9 false" {
		t.Errorf("problems %s", got)
	}
}

func TestACLFiles(t *testing.T) {
	a, problems, err := ReadACL(strings.NewReader(`
# everybody who brings no name
topic read $SYS/#
topic public/a b

user joe
topic write dev/joe/#
topic deny dev/joe/secret
topic readwrite both

user ann
topic read #
topic write a#
pattern readwrite home/%u/#
pattern write dev/%c/up
pattern read x-%c/y
topic read {client}
group g
user
`), "acl")
	if err != nil {
		t.Fatal(err)
	}
	show := func(rules any) string { return fmt.Sprint(rules) }
	var anonymous, joe, ann, all []string
	for _, r := range a.Anonymous {
		anonymous = append(anonymous, r.Text)
	}
	for _, r := range a.Users["joe"] {
		joe = append(joe, r.Text)
	}
	for _, r := range a.Users["ann"] {
		ann = append(ann, r.Text)
	}
	for _, r := range a.Everybody {
		all = append(all, r.Text)
	}
	for _, c := range []struct{ got, want string }{
		{show(anonymous), "[sub $SYS/# pubsub public/a b]"}, {show(joe), "[pub dev/joe/# deny pubsub dev/joe/secret pubsub both]"},
		{show(ann), "[sub #]"}, {show(all), "[pubsub home/{user}/# pub dev/{client}/up]"}, {a.Users["joe"][1].At, "acl:8"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
	var lines []int
	for _, p := range problems {
		lines = append(lines, p.Line)
	}
	if !a.ClientID || fmt.Sprint(lines) != "[13 16 17 18 19]" {
		t.Errorf("client %v, problems %v", a.ClientID, problems)
	}
}

func FuzzFiles(f *testing.F) {
	f.Add("topic read a/#\nuser x\npattern write %c/%u\n")
	f.Add("joe:$7$101$c2FsdA==$AA==\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, _, _ = ReadACL(strings.NewReader(text), "f")
		_, _, _ = Passwords(strings.NewReader(text), "f")
	})
}
