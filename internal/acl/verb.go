package acl

import (
	"strings"

	"github.com/entrepot/entrepot/core"
)

// Verb is a set of rights.
type Verb uint8

// The verbs. Retain, Will and Share narrow pub and sub; only a deny may name them.
const (
	Pub Verb = 1 << iota
	Sub
	Queue
	Retain
	Will
	Share
	pubSub = Pub | Sub
)

var verbs = []struct {
	name string
	verb Verb
}{{"pub", Pub}, {"sub", Sub}, {"pubsub", pubSub}, {"queue", Queue}, {"retain", Retain}, {"will", Will}, {"share", Share}}

// narrows are the verbs that a rule which allows may not name, and the verb that includes them.
var narrows = map[Verb]string{Retain: "pub", Will: "pub", Share: "sub"}

func verbNamed(s string) Verb {
	for _, v := range verbs {
		if v.name == s {
			return v.verb
		}
	}
	return 0
}

// String lists the verbs as a rule writes them.
func (v Verb) String() string {
	var names []string
	for _, x := range verbs {
		if x.verb != pubSub && v&x.verb != 0 {
			names = append(names, x.name)
		}
	}
	return strings.Join(names, ",")
}

// A need is what one action asks of the rules: one of them must allow, none may deny any of deny.
type need struct {
	allow, deny Verb
	filter      bool // the name is a filter
}

var needs = [core.ActionCount]need{
	core.ActionPublish:   {allow: Pub, deny: Pub},
	core.ActionRetain:    {allow: Pub, deny: Pub | Retain},
	core.ActionWill:      {allow: Pub, deny: Pub | Will},
	core.ActionDeliver:   {allow: Sub, deny: Sub},
	core.ActionSubscribe: {allow: Sub, deny: Sub, filter: true},
	core.ActionShare:     {allow: Sub, deny: Sub, filter: true},
	core.ActionQueue:     {allow: Queue, deny: Queue},
}

// Level is how much of the admin listener somebody may use.
type Level uint8

// The levels; each includes the ones before it.
const (
	None Level = iota
	Viewer
	Operator
	Admin
)

var levelNames = [...]string{"none", "viewer", "operator", "admin"}

// String is the level's word.
func (l Level) String() string { return levelNames[min(l, Admin)] }

func levelNamed(s string) Level {
	for l := Viewer; l <= Admin; l++ {
		if levelNames[l] == s {
			return l
		}
	}
	return None
}
