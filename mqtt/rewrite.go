package mqtt

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/entrepot/entrepot/core/topic"
)

// Rewrite is one rule of the key rewrite: topics that match From become To.
type Rewrite struct {
	// On is what the rule applies to: publish, subscribe or all. Default: all.
	On string `yaml:"on" enum:"publish,subscribe,all"`
	// From is a filter.
	From string `yaml:"from"`
	// To is what becomes of a topic or filter that From matches.
	To string `yaml:"to"`
}

// kinds of what rules apply to, as index.
const (
	onPublish = iota
	onSubscribe
	onKinds
)

var kindNames = [onKinds]string{"publish", "subscribe"}

func (r *Rewrite) applies(kind int) bool {
	return r.On == "" || r.On == "all" || r.On == kindNames[kind]
}

// A rule is a Rewrite, taken apart.
type rule struct {
	prefix string // what every match begins with
	from   []string
	to     template
}

func (r *Rewrite) compile() (rule, error) {
	if !r.applies(onPublish) && !r.applies(onSubscribe) {
		return rule{}, fmt.Errorf("on: %q is none of publish, subscribe, all", r.On)
	}
	if err := topic.CheckFilter(r.From, topic.Limits{}); err != nil {
		return rule{}, fmt.Errorf("from: %q is no topic filter: %w", r.From, err)
	}
	if strings.HasPrefix(r.From, sharePrefix) {
		return rule{}, errors.New("from: $share/NAME/ is set aside before a filter is compared, leave it out")
	}
	to, err := parseTemplate(r.To, r.From)
	if err != nil {
		return rule{}, fmt.Errorf("to: %w", err)
	}
	if strings.ContainsAny(r.To, "+") || strings.Contains(strings.ReplaceAll(r.To, "{#}", ""), "#") {
		return rule{}, fmt.Errorf("to: %q holds a wildcard; {1} and {#} stand for what those of from took", r.To)
	}
	if err := topic.CheckName(to.sample(), topic.Limits{}); err != nil {
		return rule{}, fmt.Errorf("to: %q is no topic: %w", r.To, err)
	}
	x := rule{from: strings.Split(r.From, "/"), to: to}
	for i, level := range x.from {
		if level == "+" || level == "#" {
			break
		}
		if i > 0 {
			x.prefix += "/"
		}
		x.prefix += level
	}
	return x, nil
}

// checkRewrites compiles the rules of each kind. No rule may make what another
// rule of the same kind changes; what it makes of its own results is its
// affair, since it is applied once.
func checkRewrites(list []Rewrite) (rules [onKinds][]rule, err error) {
	compiled := make([]rule, len(list))
	for i := range list {
		if compiled[i], err = list[i].compile(); err != nil {
			return rules, fmt.Errorf("mqtt.rewrite[%d].%w", i, err)
		}
	}
	for kind := range onKinds {
		for i := range list {
			if !list[i].applies(kind) {
				continue
			}
			rules[kind] = append(rules[kind], compiled[i])
			made := compiled[i].to.filter()
			for j := range list {
				if j != i && list[j].applies(kind) && topic.Overlaps(made, list[j].From) {
					return rules, fmt.Errorf("mqtt.rewrite[%d]: it makes %q, which mqtt.rewrite[%d] changes by its from %q: rules may not feed each other", i, made, j, list[j].From)
				}
			}
		}
	}
	return rules, nil
}

// matches tells whether the rule applies to a name, or to a filter, whose
// wildcards its own may take.
func (r *rule) matches(name []byte) bool {
	if len(name) < len(r.prefix) || string(name[:len(r.prefix)]) != r.prefix {
		return false
	}
	more := true
	for i, want := range r.from {
		if i == 0 && (want == "+" || want == "#") && len(name) > 0 && name[0] == '$' {
			return false // [MQTT-4.7.2-1]
		}
		if want == "#" {
			return true
		}
		if !more {
			return false
		}
		level := name
		cut := bytes.IndexByte(name, '/')
		if more = cut >= 0; more {
			level, name = name[:cut], name[cut+1:]
		}
		switch {
		case want == "+" && string(level) != "#":
		case want != string(level):
			return false
		}
	}
	return !more
}

// apply appends what the first rule that matches makes of a name; changed is
// false when none does, ok when the result is no level or topic.
func apply(rules []rule, dst, name []byte, w who) (_ []byte, changed, ok bool) {
	for i := range rules {
		if r := &rules[i]; r.matches(name) {
			dst, ok = r.to.append(dst, name, w)
			return dst, true, ok
		}
	}
	return dst, false, true
}
