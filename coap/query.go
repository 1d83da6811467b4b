package coap

import (
	"strconv"
	"time"

	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// query is what the Uri-Query options of a request to a topic say. Numbers are
// -1 when they are not given.
type query struct {
	qos            int8 // 0 to 2
	retain         int8 // 0, 1
	retainHandling int8 // 0 to 2
	noLocal        bool
	cbor           bool          // env=cbor: answer with the envelope
	expiry         time.Duration // 0: none
	clientID       string
	user, password string
	hasUser        bool
	hasToken       bool
	token          string
	connects       bool // POST of a connection
	keeps          bool // clean=false: its session outlives it
	replyTo        string
	correlation    string
	contentType    string
	properties     []core.Header
	unknown        int // keys that were ignored
}

// parse reads the options; admitted are the keys that up.KEY may set. The
// last of a repeated key counts. bad is the key of the first bad value.
func (q *query) parse(options message.Options, admitted []string) (bad string) {
	*q = query{qos: -1, retain: -1, retainHandling: -1, properties: q.properties[:0]}
	for _, o := range options {
		key, value := o.Value, []byte(nil)
		for i, c := range o.Value {
			if c == '=' {
				key, value = o.Value[:i], o.Value[i+1:]
				break
			}
		}
		if !q.set(key, value, admitted) {
			return string(key)
		}
	}
	return ""
}

// set takes one pair; it reports whether the value is good.
func (q *query) set(key, value []byte, admitted []string) bool {
	switch string(key) {
	case "qos", "q":
		return digit(&q.qos, value, 2)
	case "rh":
		return digit(&q.retainHandling, value, 2)
	case "retain", "r":
		b, ok := boolean(value)
		q.retain = 0
		if b {
			q.retain = 1
		}
		return ok
	case "nl":
		var ok bool
		q.noLocal, ok = boolean(value)
		return ok
	case "clean":
		clean, ok := boolean(value)
		q.keeps = !clean
		return ok
	case "expiry":
		n, err := strconv.ParseUint(string(value), 10, 32)
		q.expiry = time.Duration(n) * time.Second
		return err == nil
	case "env":
		q.cbor = string(value) == "cbor"
		return q.cbor || string(value) == "raw"
	default:
		return q.setText(key, string(value), admitted)
	}
}

func (q *query) setText(key []byte, value string, admitted []string) bool {
	switch string(key) {
	case "clientid", "c":
		q.clientID = value
	case "username", "u":
		q.user, q.hasUser = value, true
	case "password", "p":
		q.password = value
	case "token", "t":
		q.token, q.hasToken = value, true
	case "reply":
		q.replyTo = value
	case "cid":
		q.correlation = value
	case "ct":
		q.contentType = value
	default:
		return q.setProperty(string(key), value, admitted)
	}
	return true
}

func (q *query) setProperty(key, value string, admitted []string) bool {
	const prefix = "up."
	if len(key) > len(prefix) && key[:len(prefix)] == prefix {
		name := key[len(prefix):]
		for _, a := range admitted {
			if a == name {
				q.properties = append(q.properties, core.Header{Name: name, Text: value})
				return true
			}
		}
	}
	q.unknown++ // unknown keys are ignored and counted (R11)
	return true
}

func digit(dst *int8, value []byte, high byte) bool {
	if len(value) != 1 || value[0] < '0' || value[0] > '0'+high {
		return false
	}
	*dst = int8(value[0] - '0')
	return true
}

// boolean accepts true, false, 1, 0; a key without value is true.
func boolean(value []byte) (v, ok bool) {
	switch string(value) {
	case "", "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}
