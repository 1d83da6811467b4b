package rig

import (
	"slices"
	"strings"
	"sync"

	"github.com/entrepot/entrepot/internal/dial"
)

// Wall is who sees all that is published, to tell what was routed.
type Wall struct {
	mu   sync.Mutex
	seen []string
}

// Add takes a message: topic, a space, the payload.
func (w *Wall) Add(m dial.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, m.Topic+" "+string(m.Payload))
}

// Seen is what came, in order.
func (w *Wall) Seen() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen)
}

// Has tells whether a message came, written as Add does.
func (w *Wall) Has(what string) bool { return slices.Contains(w.Seen(), what) }

// Find is the first that holds a text; "" for none.
func (w *Wall) Find(text string) string {
	for _, s := range w.Seen() {
		if strings.Contains(s, text) {
			return s
		}
	}
	return ""
}
