package mqtt

import (
	"bytes"
	"math"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/topic"
	"github.com/entrepot/entrepot/mqtt/packet"
)

var errRewrite = &packet.Error{Code: packet.TopicNameInvalid, Rule: "MY7 what the rewriting makes of the topic is no topic name"}

// A place is where a PUBLISH goes to, and when.
type place struct {
	name  []byte
	after uint32 // seconds; 0: at once
}

// rewriting is what a connection keeps for its rules: the topic that they were
// asked about last, so that a run of it costs a comparison.
type rewriting struct {
	name, result []byte
	changed      bool
	reply        []byte
}

func (c *conn) who() who {
	return who{client: c.session.ClientID(), user: c.session.Principal().User}
}

// place applies the rewriting, and takes "$delayed/SECONDS/" off. MY5, MY7
func (c *conn) place(p *packet.Publish, name []byte) (to place, err error) {
	set := &c.room.set
	to.name = name
	if set.delayed {
		if to, err = set.splitDelayed(name); err != nil {
			return to, err
		}
	}
	if len(set.rewrite[onPublish]) == 0 {
		return to, nil
	}
	if to.name, err = c.rewrite(to.name); err != nil {
		return to, err
	}
	if set.delayed && to.after == 0 {
		if to, err = set.splitDelayed(to.name); err != nil {
			return to, err
		}
	}
	if reply := p.Properties.Str(packet.ResponseTopic); len(reply) > 0 {
		w := c.extra.rewriting
		if w.reply, err = c.room.rewriteName(w.reply[:0], reply, c.who()); err != nil {
			return to, err
		}
		p.Properties.SetStr(packet.ResponseTopic, w.reply)
	}
	return to, nil
}

// rewrite is rewriteName with a memory.
func (c *conn) rewrite(name []byte) ([]byte, error) {
	x := c.more()
	w := x.rewriting
	if w == nil {
		w = &rewriting{}
		x.rewriting = w
	}
	if len(w.name) == 0 || !bytes.Equal(w.name, name) {
		w.name = w.name[:0]
		var err error
		if w.result, err = c.room.rewriteName(w.result[:0], name, c.who()); err != nil {
			return nil, err
		}
		w.name = append(w.name, name...)
	}
	return w.result, nil
}

// rewriteName appends what the rules make of a topic name, the name itself
// when none applies.
func (r *Room) rewriteName(dst, name []byte, w who) ([]byte, error) {
	dst, changed, ok := apply(r.set.rewrite[onPublish], dst, name, w)
	switch {
	case !changed:
		return append(dst, name...), nil
	case !ok, topic.CheckName(dst, topic.Limits{Levels: math.MaxInt}) != nil:
		return dst, errRewrite
	}
	return dst, nil
}

// rewriteFilter is what the rules make of a filter; "$share/NAME/" is set aside
// and put back. The result is empty when it is none.
func (r *Room) rewriteFilter(filter []byte, w who) []byte {
	rules := r.set.rewrite[onSubscribe]
	if len(rules) == 0 {
		return filter
	}
	share := 0
	if bytes.HasPrefix(filter, []byte(sharePrefix)) {
		_, plain, _ := bytes.Cut(filter[len(sharePrefix):], []byte{'/'})
		share = len(filter) - len(plain)
	}
	if topic.CheckFilter(string(filter[share:]), topic.Limits{}) != nil {
		return filter // what is no filter does not become one
	}
	dst, changed, ok := apply(rules, bytes.Clone(filter[:share]), filter[share:], w)
	switch {
	case !changed:
		return filter
	case !ok:
		return nil
	}
	return dst
}

// rewriteWill applies the rules of publish to a will.
func (r *Room) rewriteWill(c *core.Client) error {
	if c.Will == nil || len(r.set.rewrite[onPublish]) == 0 {
		return nil
	}
	w := who{client: c.ID, user: core.Anonymous.User}
	if c.Principal != nil {
		w.user = c.Principal.User
	}
	change := func(s *string) error {
		name, err := r.rewriteName(nil, []byte(*s), w)
		*s = string(name)
		return err
	}
	m := c.Will.Message
	if err := change(&m.Topic); err != nil {
		return err
	}
	if m.Meta == nil || m.Meta.ReplyTo == "" {
		return nil
	}
	return change(&m.Meta.ReplyTo)
}
