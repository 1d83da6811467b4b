package exchange

import (
	"slices"
	"strings"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// headers: the message's headers against the binding's arguments
// (specification 3.1.3.4; AQ27). The key has no meaning.
type headers struct{ bindings []Binding }

func (h *headers) bind(b Binding) core.Reason {
	if _, ok := matchKind(b.Args); !ok {
		return core.Precondition
	}
	h.bindings = append(h.bindings, b)
	return core.OK
}

func (h *headers) unbind(b Binding) {
	id := b.identity()
	h.bindings = slices.DeleteFunc(h.bindings, func(have Binding) bool { return have.identity() == id })
}

func (h *headers) route(dst []string, _ string, msg wire.Table) []string {
	for _, b := range h.bindings {
		if matchHeaders(b.Args, msg) {
			dst = appendOnce(dst, b.Queue)
		}
	}
	return dst
}

// matchKind reads x-match: all is the default.
func matchKind(args wire.Table) (kind string, ok bool) {
	v, found := args.Get("x-match")
	if !found {
		return "all", true
	}
	kind, ok = v.Text()
	return kind, ok && slices.Contains([]string{"all", "any", "all-with-x", "any-with-x"}, kind)
}

func matchHeaders(args, msg wire.Table) bool {
	kind, _ := matchKind(args)
	any, withX := strings.HasPrefix(kind, "any"), strings.HasSuffix(kind, "-with-x")
	for name, want := range args.All() {
		n := string(name)
		if n == "x-match" || (!withX && strings.HasPrefix(n, "x-")) {
			continue
		}
		got, found := msg.Get(n)
		if hit := found && sameValue(want, got); hit == any {
			return any
		}
	}
	return !any
}

// sameValue compares by type and value, integer widths alike; a void argument
// asks for presence only.
func sameValue(want, got wire.Value) bool {
	if want.Type == 'V' {
		return true
	}
	if a, ok := want.Int(); ok {
		b, ok := got.Int()
		return ok && a == b
	}
	if a, ok := want.Float(); ok {
		b, ok := got.Float()
		return ok && a == b
	}
	return want.Type == got.Type && string(want.Raw) == string(got.Raw)
}
