package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/topic"
	"github.com/entrepot/entrepot/internal/access"
	"github.com/entrepot/entrepot/internal/acl"
)

func aclCommand(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "acl",
		Short:   "Explain who may do what",
		Long:    "Tell what the rules of a configuration allow, without a running gateway.",
		Example: "  entrepot acl explain --config entrepot.yaml --user anonymous pub a/b",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return &exitError{exitUsage, "acl is followed by explain. Try: entrepot acl explain --help"}
		},
	}
	cmd.AddCommand(aclExplainCommand(s))
	return cmd
}

// explain holds the flags of `entrepot acl explain`.
type explain struct {
	config    string
	user      string
	client    string
	namespace string
	roles     []string
	all       bool
	output    string
}

func aclExplainCommand(s streams) *cobra.Command {
	o := &explain{}
	cmd := &cobra.Command{
		Use:   "explain pub|sub|queue TOPIC",
		Short: "Tell whether a user may publish, subscribe or manage a queue, and by which rule",
		Long: `Tell whether a user may publish to a topic, subscribe to a filter, or declare and bind a queue; which rule decides, and all rules that match.
Exit 0: allowed, 6: denied. For pub, what rules deny of retained messages and wills is told too. Users that tokens or a service vouch for are
not in the configuration: give their roles by --role.`,
		Example: `  entrepot acl explain --config entrepot.yaml --user anonymous pub a/b
  entrepot acl explain --config entrepot.yaml --user anonymous --all`,
		Args: func(_ *cobra.Command, args []string) error {
			if o.all && len(args) == 0 || !o.all && len(args) == 2 {
				return nil
			}
			return errors.New("acl explain is followed by pub, sub or queue and a topic, or by --all")
		},
		RunE: func(_ *cobra.Command, args []string) error { return o.run(s, args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.config, "config", "", "configuration file (default $ENTREPOT_CONFIG, or none)")
	f.StringVar(&o.user, "user", core.Anonymous.User, "name of the user")
	f.StringVar(&o.client, "client", "", "client identifier of the login")
	f.StringVar(&o.namespace, "namespace", "", "namespace of the login (default the user's)")
	f.StringArrayVar(&o.roles, "role", nil, "role of a user that the configuration does not have, may be repeated")
	f.BoolVar(&o.all, "all", false, "list what the user may do")
	f.StringVarP(&o.output, "output", "o", "text", "text or json")
	return cmd
}

func (o *explain) run(s streams, args []string) error {
	if o.output != "text" && o.output != "json" {
		return &exitError{exitUsage, fmt.Sprintf("-o %s is neither text nor json", o.output)}
	}
	settings, err := o.settings()
	if err != nil {
		return err
	}
	p, err := settings.Who(o.user, o.client, o.namespace, o.roles)
	if err != nil {
		return &exitError{exitDenied, "no login: " + err.Error()}
	}
	if o.all {
		return o.list(s, settings, p)
	}
	return o.decide(s, settings, p, args[0], args[1])
}

// settings reads the configuration as a start would.
func (o *explain) settings() (*access.Settings, error) {
	c, sections, err := load(o.config)
	if err != nil {
		return nil, &exitError{exitConfig, err.Error()}
	}
	settings, problems := access.Read(access.Options{Sections: sections})
	if problems.Failed() {
		return nil, &exitError{exitConfig, c.Finish(problems).Errors().Error()}
	}
	for _, role := range o.roles {
		if !settings.Known(role) {
			return nil, &exitError{exitUsage, fmt.Sprintf("--role %s: there is no such role", role)}
		}
	}
	return settings, nil
}

// A question is one action that rules decide about.
type question struct {
	action core.Action
	verb   string
}

// questions are the actions that a word of the command line stands for; the first is the one that counts.
func questions(verb, name string) (list []question, canonical string, err error) {
	switch verb {
	case "pub":
		list = []question{{core.ActionPublish, "pub"}, {core.ActionRetain, "pub retained"}, {core.ActionWill, "pub as a will"}}
		err = topic.CheckName(name, topic.Limits{})
	case "queue":
		list = []question{{core.ActionQueue, "queue"}}
		err = topic.CheckName(name, topic.Limits{})
	case "sub":
		list = []question{{core.ActionSubscribe, "sub"}}
		_, filter, shared, bad := topic.SplitShare(name)
		if bad != nil {
			return nil, "", bad
		}
		if shared {
			name = filter
			list = append([]question{{core.ActionShare, "sub shared"}}, list...)
		}
		err = topic.CheckFilter(name, topic.Limits{})
	default:
		return nil, "", &exitError{exitUsage, fmt.Sprintf("%q is none of pub, sub, queue", verb)}
	}
	return list, name, err
}

// verdict is an explanation as it is shown.
type verdict struct {
	Action  string     `json:"action"`
	Topic   string     `json:"topic"`
	Allowed bool       `json:"allowed"`
	Rule    *ruleLine  `json:"rule"` // the one that decides; null: none matches
	Matches []ruleLine `json:"matches"`
}

// ruleLine is a rule as it is shown.
type ruleLine struct {
	At     string `json:"at"`
	Rule   string `json:"rule"`
	Filter string `json:"filter"` // with the values filled in
}

func lineOf(m acl.Match) ruleLine {
	l := ruleLine{m.Rule.At, m.Rule.Text, m.Filter}
	if m.Never {
		l.Filter = "matches nothing: a value is missing"
	}
	return l
}

func (o *explain) decide(s streams, settings *access.Settings, p *core.Principal, verb, name string) error {
	list, canonical, err := questions(verb, name)
	var usage *exitError
	switch {
	case errors.As(err, &usage):
		return err
	case err != nil:
		return &exitError{exitDenied, fmt.Sprintf("%q is not valid there: %v", name, err)}
	}
	var all []verdict
	for _, q := range list {
		e := settings.Explain(p, q.action, canonical)
		v := verdict{Action: q.verb, Topic: canonical, Allowed: e.Allowed, Matches: []ruleLine{}}
		if e.Decisive != nil {
			l := lineOf(*e.Decisive)
			v.Rule = &l
		}
		for _, m := range e.Matches {
			v.Matches = append(v.Matches, lineOf(m))
		}
		all = append(all, v)
	}
	if err := o.print(s, settings, p, all); err != nil {
		return err
	}
	if !all[0].Allowed {
		return &exitError{exitDenied, ""}
	}
	return nil
}

func (o *explain) print(s streams, settings *access.Settings, p *core.Principal, all []verdict) error {
	if o.output == "json" {
		return json.NewEncoder(s.out).Encode(all)
	}
	for i, v := range all {
		if i > 0 && v.Allowed == all[0].Allowed {
			continue // nothing that the first does not say
		}
		word := map[bool]string{true: "allowed", false: "denied"}[v.Allowed]
		fmt.Fprintf(s.out, "%s: %s %s %s\n", word, p.User, v.Action, v.Topic)
		switch {
		case v.Rule != nil:
			fmt.Fprintf(s.out, "  by       %s\n", v.Rule)
		case v.Allowed:
			fmt.Fprintln(s.out, "  by       no rule: without users and roles everybody may do everything")
		default:
			fmt.Fprintln(s.out, "  by       no rule: what no rule allows is denied")
		}
		for _, m := range v.Matches {
			fmt.Fprintf(s.out, "  matches  %s\n", m)
		}
	}
	if settings.Configured() && p.ClientID != "" && !p.OwnsID {
		fmt.Fprintf(s.out, "  note     %s has no client_ids, so rules with {client} match nothing\n", p.User)
	}
	return nil
}

// String is the rule with its place and its filter.
func (l ruleLine) String() string {
	text := l.At + "  " + l.Rule
	if l.Filter != "" && !strings.HasSuffix(l.Rule, " "+l.Filter) {
		text += "  (" + l.Filter + ")"
	}
	return text
}

// list prints all rules of the user.
func (o *explain) list(s streams, settings *access.Settings, p *core.Principal) error {
	lines := []ruleLine{}
	for _, m := range settings.Rules(p) {
		lines = append(lines, lineOf(m))
	}
	if o.output == "json" {
		return json.NewEncoder(s.out).Encode(lines)
	}
	switch {
	case !settings.Configured():
		fmt.Fprintln(s.out, "without users and roles everybody may do everything")
		return nil
	case len(lines) == 0:
		fmt.Fprintf(s.out, "%s may do nothing: it has no rules\n", p.User)
		return nil
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RULE\tFILTER\tAT")
	for _, l := range lines {
		fmt.Fprintf(w, "%s\t%s\t%s\n", l.Rule, l.Filter, l.At)
	}
	if len(p.Roles) > 0 { // SECURITY Z14
		for _, note := range settings.Exposed(p.Roles...) {
			fmt.Fprintln(s.err, "note: "+note)
		}
	}
	return w.Flush()
}
