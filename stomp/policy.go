package stomp

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/stomp/frame"
)

// queueSpec is the queue that a SEND or SUBSCRIBE makes: durable, with the
// policy that its headers ask for. It equals what an AMQP queue.declare with
// durable and the same arguments makes, so that either finds the other's (ST32).
func queueSpec(f *frame.Frame, name string) (core.QueueSpec, *failure) {
	spec := core.QueueSpec{Name: name, Durable: true, AutoDelete: text(f, "auto-delete") == "true"}
	var args []string
	for _, h := range f.Headers {
		key, value := string(h.Name), string(h.Value)
		arg, bad := queueArgument(&spec, key, value)
		if bad != nil {
			return spec, bad
		}
		if arg != "" {
			args = append(args, fmt.Sprintf("%q=%s", key, arg))
		}
	}
	slices.Sort(args)
	spec.Args = strings.Join(args, ",")
	if spec.Limits.Overflow == core.OverflowDefault && (spec.Limits.Messages > 0 || spec.Limits.Bytes > 0) {
		spec.Limits.Overflow = core.DropOldest // as RabbitMQ's drop-head
	}
	return spec, nil
}

// queueArgument reads one header and returns its canonical value as a queue
// argument; "" for a header that is none.
func queueArgument(spec *core.QueueSpec, name, value string) (string, *failure) {
	switch name {
	case "x-expires", "x-max-length", "x-max-length-bytes", "x-delivery-limit":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 || n > math.MaxUint32 || (n == 0 && name != "x-delivery-limit") {
			return "", failed(core.Malformed, "Invalid header", "'"+name+"' must be a number in range")
		}
		switch name {
		case "x-expires":
			spec.IdleExpiry, spec.ExpiresFull = time.Duration(n)*time.Millisecond, true
		case "x-max-length":
			spec.Limits.Messages = int(n)
		case "x-max-length-bytes":
			spec.Limits.Bytes = n
		case "x-delivery-limit":
			spec.MaxAttempts = int(n) + 1
		}
		return strconv.FormatInt(n, 10), nil
	case "x-overflow":
		switch value {
		case "drop-head":
			spec.Limits.Overflow = core.DropOldest
		case "reject-publish":
			spec.Limits.Overflow = core.RejectNew
		default:
			return "", notImplemented("overflow '" + value + "'")
		}
	case "x-queue-type":
		if value != "classic" && value != "quorum" {
			return "", notImplemented("queue type '" + value + "'")
		}
	case "x-message-ttl", "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-max-priority", "x-max-age",
		"x-single-active-consumer":
		return "", notImplemented("header '" + name + "'")
	default:
		return "", nil
	}
	return fmt.Sprintf("S%q", value), nil
}
