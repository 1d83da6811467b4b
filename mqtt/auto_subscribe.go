package mqtt

import (
	"errors"
	"fmt"
	"strings"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/topic"
)

// AutoSubscribe is one element of the key auto_subscribe: a subscription that
// every client gets.
type AutoSubscribe struct {
	// Filter is the filter, with {client} and {user}, each a whole level.
	Filter string `yaml:"filter"`
	// QoS is the maximum QoS, 0 to 2. Default: 0.
	QoS int `yaml:"qos" min:"0" max:"2"`
	// NoLocal is whether the client's own messages are left out. Default: false.
	NoLocal bool `yaml:"no_local"`
	// RetainAsPublished is whether the retain flag stays as published. Default: false.
	RetainAsPublished bool `yaml:"retain_as_published"`
	// RetainHandling is whether retained messages are sent: 0 always, 1 when it is new, 2 never. Default: 0.
	RetainHandling int `yaml:"retain_handling" min:"0" max:"2"`
}

const maxAutoSubscribe = 20

// autoSubscription is an AutoSubscribe, taken apart.
type autoSubscription struct {
	text   string // of the configuration
	filter template
	sub    core.Subscription
}

func (a *AutoSubscribe) compile() (x autoSubscription, err error) {
	x.text = a.Filter
	if x.filter, err = parseTemplate(a.Filter, ""); err != nil {
		return x, fmt.Errorf("filter: %w", err)
	}
	sample := strings.NewReplacer("{client}", "x", "{user}", "x").Replace(a.Filter)
	_, _, shared, err := topic.SplitShare(sample)
	if !shared {
		err = topic.CheckFilter(strings.TrimPrefix(sample, queuePrefix), topic.Limits{})
	}
	switch {
	case err != nil:
		return x, fmt.Errorf("filter: %q is no topic filter: %w", a.Filter, err)
	case a.QoS < 0 || a.QoS > 2:
		return x, fmt.Errorf("qos: %d is not between 0 and 2", a.QoS)
	case a.RetainHandling < 0 || a.RetainHandling > 2:
		return x, fmt.Errorf("retain_handling: %d is not between 0 and 2", a.RetainHandling)
	case a.NoLocal && special([]byte(sample)):
		return x, errors.New("no_local: it cannot be had with a shared subscription or a queue") // [MQTT-3.8.3-4]
	}
	x.sub = core.Subscription{
		QoS: uint8(a.QoS), NoLocal: a.NoLocal, RetainAsPublished: a.RetainAsPublished, RetainHandling: uint8(a.RetainHandling),
	}
	return x, nil
}

func checkAutoSubscribe(list []AutoSubscribe) (all []autoSubscription, err error) {
	if len(list) > maxAutoSubscribe {
		return nil, fmt.Errorf("mqtt.auto_subscribe: %d elements are more than %d", len(list), maxAutoSubscribe)
	}
	all = make([]autoSubscription, len(list))
	for i := range list {
		if all[i], err = list[i].compile(); err != nil {
			return nil, fmt.Errorf("mqtt.auto_subscribe[%d].%w", i, err)
		}
	}
	return all, nil
}

// autoSubscribe makes the subscriptions that every client gets, as if it had
// subscribed, but without a word. MY8
func (c *conn) autoSubscribe(t *core.Turn) {
	if len(c.room.set.auto) == 0 {
		return
	}
	w := c.who()
	var subs []core.Subscription
	for i := range c.room.set.auto {
		a := &c.room.set.auto[i]
		filter, ok := a.filter.append(nil, nil, w)
		if !ok {
			c.autoRefused(a.text, core.BadFilter)
			continue
		}
		filter = c.room.rewriteFilter(filter, w)
		sub := a.sub
		sub.Filter, sub.QoS = string(filter), min(sub.QoS, c.room.set.maxQoS)
		if c.bridge && !special(filter) {
			sub.NoLocal, sub.RetainAsPublished = true, true
		}
		switch {
		case c.unavailable(filter) != 0:
			c.autoRefused(sub.Filter, core.NotSupported)
		case !c.session.Subscribed(sub.Filter): // nothing changes for one that a resumed session has
			subs = append(subs, sub)
		}
	}
	if len(subs) == 0 {
		return
	}
	grants, _, _ := c.session.Subscribe(t, subs, nil) // retained messages follow when it is safe
	for i := range grants {
		if grants[i].Reason != core.OK {
			c.autoRefused(subs[i].Filter, grants[i].Reason)
		}
	}
}

func (c *conn) autoRefused(filter string, r core.Reason) {
	c.room.host.Metrics.Refused(Name, r)
	c.room.host.Log.Warn("client.auto_subscribe_refused", "protocol", Name, "client", c.session.ClientID(), "filter", filter, "reason", r.String())
}
