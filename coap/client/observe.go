package client

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/fxamacker/cbor/v2"
	"github.com/plgd-dev/go-coap/v3/message/pool"

	"github.com/entrepot/entrepot/coap/message"
)

// Observe observes a filter or "$queue/NAME" with at most the given QoS (0 to
// 2) and calls fn with each message, in order, on one goroutine, which the
// acknowledgements wait for. It returns when the server has entered the client
// into its list; fn may have been called before. end is called once, with the
// server's *Error, if it ends the observation.
func (c *Client) Observe(ctx context.Context, filter string, qos int, fn func(Message), end func(error)) error {
	req, err := c.request(ctx, message.GET, filter, "env=cbor", "qos="+strconv.Itoa(qos))
	if err != nil {
		return err
	}
	defer c.conn.ReleaseMessage(req)
	req.SetObserve(0)
	var refused error
	registered := false
	o, err := c.conn.DoObserve(req, func(n *pool.Message) {
		body, err := bodyOf(n)
		if err == nil {
			err = failure(n, body)
		}
		if err != nil {
			if registered {
				end(err)
			}
			refused = err
			return
		}
		registered = true
		if len(body) == 0 {
			return // no value yet
		}
		if m, err := open(body); err == nil {
			fn(m)
		}
	})
	if err != nil {
		return errors.Join(refused, err)
	}
	if o.Canceled() {
		return ErrNotObserving
	}
	c.mu.Lock()
	c.observing = append(c.observing, o)
	c.mu.Unlock()
	return nil
}

// envelope is the map of ?env=cbor.
type envelope struct {
	Topic       string      `cbor:"0,keyasint"`
	Payload     []byte      `cbor:"1,keyasint"`
	QoS         uint8       `cbor:"2,keyasint"`
	Retain      bool        `cbor:"3,keyasint"`
	ContentType string      `cbor:"4,keyasint"`
	Properties  [][2]string `cbor:"5,keyasint"`
}

var strict = func() cbor.DecMode {
	m, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden}.DecMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return m
}()

// open reads an envelope.
func open(body []byte) (Message, error) {
	var e envelope
	if err := strict.Unmarshal(body, &e); err != nil {
		return Message{}, fmt.Errorf("coap: no envelope: %w", err)
	}
	m := Message{Topic: e.Topic, Payload: e.Payload, QoS: int(e.QoS), Retain: e.Retain, ContentType: e.ContentType}
	for _, p := range e.Properties {
		switch p[0] {
		case "reply":
			m.ReplyTo = p[1]
		case "cid":
			m.Correlation = []byte(p[1])
		default:
			m.Properties = append(m.Properties, p)
		}
	}
	return m, nil
}
