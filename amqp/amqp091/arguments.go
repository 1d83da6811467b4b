package amqp091

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/amqp/exchange"
	"github.com/entrepot/entrepot/core"
)

// notOffered are arguments that change what a queue does and that we do not
// know how to do: refused in clear words rather than ignored. Arguments that
// are not listed anywhere are kept and ignored (AQ33).
var notOffered = []string{
	"x-max-priority",
}

// queueSpec reads a declaration.
func queueSpec(m *wire.QueueDeclare, name string) (core.QueueSpec, error) {
	spec := core.QueueSpec{
		Name: name, Durable: m.Durable, Exclusive: m.Exclusive, AutoDelete: m.AutoDelete,
		Args: exchange.Canonical(m.Arguments),
	}
	for n, v := range m.Arguments.All() {
		if err := queueArgument(&spec, string(n), v); err != nil {
			return spec, err
		}
	}
	if err := deadLetters(&spec, m.Arguments); err != nil {
		return spec, err
	}
	if spec.Limits.Messages+int(spec.Limits.Bytes) > 0 && spec.Limits.Overflow == core.OverflowDefault {
		spec.Limits.Overflow = core.DropOldest // what a client that sets a length expects
	}
	return spec, nil
}

// queueArgument reads one argument: wrong type or range is 406.
func queueArgument(spec *core.QueueSpec, name string, v wire.Value) error {
	bad := func(why string) error {
		return &wire.Error{Code: wire.PreconditionFailed, Text: "invalid arg '" + name + "' for queue '" + spec.Name + "': " + why}
	}
	n, isInt := v.Int()
	switch name {
	case "x-message-ttl", "x-expires", "x-max-length", "x-max-length-bytes", "x-delivery-limit":
		if !isInt || n < 0 || n > math.MaxUint32 || (name == "x-expires" && n == 0) {
			return bad("not a number in range")
		}
	}
	switch name {
	case "x-message-ttl":
		if n == 0 {
			return bad("0 is not offered")
		}
		spec.TTL = time.Duration(n) * time.Millisecond
	case "x-expires":
		spec.IdleExpiry, spec.ExpiresFull = time.Duration(n)*time.Millisecond, true
	case "x-max-length":
		if n == 0 {
			return bad("0 is not offered")
		}
		spec.Limits.Messages = int(n)
	case "x-max-length-bytes":
		if n == 0 {
			return bad("0 is not offered")
		}
		spec.Limits.Bytes = n
	case "x-delivery-limit":
		spec.MaxAttempts = int(n) + 1
	case "x-single-active-consumer":
		single, isBool := v.Bool()
		if !isBool {
			return bad("not a boolean")
		}
		spec.SingleActive = single
	case "x-overflow":
		return overflow(spec, v, bad)
	case "x-queue-type":
		return queueType(spec, v, bad)
	}
	if slices.Contains(notOffered, name) {
		return bad("not offered")
	}
	return nil
}

func overflow(spec *core.QueueSpec, v wire.Value, bad func(string) error) error {
	switch s, _ := v.Text(); s {
	case "drop-head":
		spec.Limits.Overflow = core.DropOldest
	case "reject-publish":
		spec.Limits.Overflow = core.RejectNew
	case "reject-publish-dlx":
		spec.Limits.Overflow = core.RejectDead
	default:
		return bad("'" + s + "' is not offered")
	}
	return nil
}

// queueType: a quorum queue is a durable one that is logged, which ours are.
func queueType(spec *core.QueueSpec, v wire.Value, bad func(string) error) error {
	switch s, _ := v.Text(); {
	case s == "classic":
	case s == "quorum" && (!spec.Durable || spec.Exclusive || spec.AutoDelete):
		return bad("a quorum queue is durable, not exclusive, not auto-delete")
	case s == "quorum":
	default:
		return bad("'" + s + "' is not offered")
	}
	return nil
}

// consumeArguments reads the arguments of basic.consume (AQ45).
func consumeArguments(o *core.ConsumeOptions, t wire.Table) error {
	for n, v := range t.All() {
		name := string(n)
		bad := &wire.Error{Code: wire.PreconditionFailed, Text: "invalid arg '" + name + "' of a consumer"}
		switch {
		case name == "x-priority":
			p, ok := v.Int()
			if !ok || p < math.MinInt32 || p > math.MaxInt32 {
				return bad
			}
			o.Priority = int(p)
		case strings.HasPrefix(name, "x-stream-"):
			return bad
		}
	}
	return nil
}
