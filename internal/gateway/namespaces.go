package gateway

import (
	"fmt"
	"maps"
	"slices"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/topic"
	"github.com/entrepot/entrepot/internal/config"
)

// Namespaces is the section `namespaces`: what sets one of them apart, by name. One that is not listed has the bounds of limits and shares nothing.
type Namespaces map[string]Namespace

// Namespace is one element of `namespaces`.
type Namespace struct {
	// Quota bounds the namespace as a whole; where limits has the same bound, the smaller one holds.
	Quota Quota `yaml:"quota"`
	// Export lists the filters of topics that other namespaces may import.
	Export []string `yaml:"export"`
	// Import lists what is taken from other namespaces that export it.
	Import []Import `yaml:"import"`
}

// Quota is `namespaces.NAME.quota`.
type Quota struct {
	// Connections that are logged in, at a time.
	Connections int `yaml:"connections" min:"1" unlimited:"0"`
	// Sessions, those that are connected included.
	Sessions int `yaml:"sessions" min:"1" unlimited:"0"`
	// Subscriptions of one session.
	Subscriptions int `yaml:"subscriptions" min:"1" unlimited:"0"`
	// Retained is the number of retained messages.
	Retained int `yaml:"retained" min:"1" unlimited:"0"`
	// RetainedBytes is the memory that counts for them.
	RetainedBytes config.Size `yaml:"retained_bytes" min:"1KiB" unlimited:"0"`
	// Queues is the number of named queues.
	Queues int `yaml:"queues" min:"1" unlimited:"0"`
	// QueueMessages is what may wait in all queues together, those of sessions included.
	QueueMessages int `yaml:"queue_messages" min:"1" unlimited:"0"`
	// QueueBytes is the memory that counts for them.
	QueueBytes config.Size `yaml:"queue_bytes" min:"1KiB" unlimited:"0"`
	// PublishRate is how many messages all clients may publish together; beyond it those who publish are read no further for a while.
	PublishRate config.Rate `yaml:"publish_rate" min:"1/s" unlimited:"-1"`
	// PublishBytesRate is how many bytes of them they may send in a second.
	PublishBytesRate config.Size `yaml:"publish_bytes_rate" min:"1" unlimited:"0"`
}

// Import is one element of `namespaces.NAME.import`.
type Import struct {
	// From is the other namespace.
	From string `yaml:"from"`
	// Filter of its topics.
	Filter string `yaml:"filter"`
	// As is put in front of the topics here, with a slash. The default is nothing.
	As string `yaml:"as"`
}

// core is the section as core has it.
func (n Namespaces) core() map[string]core.Tenant {
	all := map[string]core.Tenant{}
	for name, x := range n {
		q := &x.Quota
		t := core.Tenant{Export: x.Export, Quota: core.Quotas{
			Connections: q.Connections, Sessions: q.Sessions, Subscriptions: q.Subscriptions, Retained: q.Retained, RetainedBytes: int64(q.RetainedBytes),
			Queues: q.Queues, QueueMessages: q.QueueMessages, QueueBytes: int64(q.QueueBytes),
			PublishRate: max(0, int(q.PublishRate)), PublishBytesRate: int(q.PublishBytesRate),
		}}
		for _, i := range x.Import {
			t.Import = append(t.Import, core.Import{From: i.From, Filter: i.Filter, As: i.As})
		}
		all[name] = t
	}
	return all
}

// Validate names the key that is wrong. SECURITY E9
func (n *Namespaces) Validate() error {
	for _, name := range slices.Sorted(maps.Keys(*n)) {
		if name == "" || topic.CheckName(name, topic.Limits{Bytes: 255}) != nil {
			return fmt.Errorf("%q cannot be the name of a namespace", name)
		}
	}
	if err := core.CheckTenants(n.core()); err != nil {
		return fmt.Errorf("namespaces.%w", err)
	}
	return nil
}

// dead names imports that nothing will come by.
func (n Namespaces) dead(warn func(path, text string)) {
	for _, name := range slices.Sorted(maps.Keys(n)) {
		for i, x := range n[name].Import {
			exports := n[x.From].Export
			if !slices.ContainsFunc(exports, func(f string) bool { return topic.Overlaps(f, x.Filter) }) {
				warn(fmt.Sprintf("namespaces.%s.import[%d]", name, i), fmt.Sprintf("%s exports nothing that %q matches, so that nothing is imported", x.From, x.Filter))
			}
		}
	}
}

// namespaces is the section `namespaces`.
func (s *settings) namespaces() Namespaces {
	if x, ok := s.sections["namespaces"].(*Namespaces); ok {
		return *x
	}
	return nil
}
