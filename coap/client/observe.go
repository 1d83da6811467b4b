package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/fxamacker/cbor/v2"
	coap "github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/pool"
	netclient "github.com/plgd-dev/go-coap/v3/net/client"

	"github.com/entrepot/entrepot/coap/message"
)

// waiting bounds the notifications of an observation that wait for fn; beyond,
// the acknowledgements wait.
const waiting = 64

// Observe observes a filter or "$queue/NAME" with at most the given QoS (0 to
// 2) and calls fn with each message, in order, on a goroutine that ends with
// the client. It returns when the server has entered the client into its list;
// fn may have been called before. end is called once, with the server's *Error
// or that of a transfer, if the observation ends before the client does. One
// that ends because its topic was deleted (RFC 7641, section 4.2) is registered
// again.
func (c *Client) Observe(ctx context.Context, filter string, qos int, fn func(Message), end func(error)) error {
	build := func(ctx context.Context) (*pool.Message, error) {
		return c.request(ctx, message.GET, filter, "env=cbor", "qos="+strconv.Itoa(qos))
	}
	req, err := build(ctx)
	if err != nil {
		return err
	}
	defer c.conn.ReleaseMessage(req)
	req.SetObserve(0)
	w := &watch{c: c, filter: filter, qos: qos, parts: make(chan note, waiting), fn: fn, end: end,
		build: func() (*pool.Message, error) { return build(c.conn.Context()) }}
	o, err := c.conn.DoObserve(req, w.take)
	if err != nil {
		return w.refused(ctx, err)
	}
	if o.Canceled() {
		return ErrNotObserving
	}
	c.mu.Lock()
	c.observing = append(c.observing, o)
	c.mu.Unlock()
	w.entered = o
	c.watches.Go(w.run)
	return nil
}

// watch passes the notifications of one observation on.
type watch struct {
	c       *Client
	filter  string
	qos     int
	build   builder
	parts   chan note
	fn      func(Message)
	end     func(error)
	entered netclient.Observation
}

type note struct {
	part
	err error
}

// take is called by the socket's goroutine.
func (w *watch) take(m *pool.Message) {
	p, err := partOf(m, coap.Block2)
	select {
	case w.parts <- note{p, err}:
	case <-w.c.conn.Done():
	}
}

// answerDelay is how long the library may take from its own word about an answer
// to the answer.
const answerDelay = time.Second

// refused is what the answer to the registration said, or where there was none,
// err.
func (w *watch) refused(ctx context.Context, err error) error {
	if ctx.Err() != nil || w.c.conn.Context().Err() != nil {
		return err
	}
	late := time.NewTimer(answerDelay)
	defer late.Stop()
	select {
	case n := <-w.parts:
		if n.err != nil {
			return n.err
		}
	case <-ctx.Done():
	case <-w.c.conn.Done():
	case <-late.C:
	}
	return err
}

// run calls fn until the observation or the client ends.
func (w *watch) run() {
	for {
		select {
		case <-w.c.conn.Done():
			return
		case n := <-w.parts:
			err := w.pass(n)
			if err == nil {
				continue
			}
			if refusal := new(Error); errors.As(err, &refusal) && refusal.Code == message.NotFound {
				err = w.again()
			}
			if err != nil && w.c.conn.Context().Err() == nil {
				w.end(err)
			}
			return
		}
	}
}

// again registers anew. What goes on is another watch.
func (w *watch) again() error {
	c := w.c
	c.mu.Lock()
	c.observing = slices.DeleteFunc(c.observing, func(o netclient.Observation) bool { return o == w.entered })
	c.mu.Unlock()
	return c.Observe(c.conn.Context(), w.filter, w.qos, w.fn, w.end)
}

func (w *watch) pass(n note) error {
	if n.err != nil {
		return n.err
	}
	body, err := w.c.rest(w.build, n.part)
	if err != nil || len(body) == 0 {
		return err // empty: no value yet
	}
	m, err := open(body)
	if err == nil {
		w.fn(m)
	}
	return err
}

// envelope is the map of ?env=cbor.
type envelope struct {
	Topic       string      `cbor:"0,keyasint"`
	Payload     []byte      `cbor:"1,keyasint"`
	QoS         uint8       `cbor:"2,keyasint"`
	Retain      bool        `cbor:"3,keyasint"`
	ContentType string      `cbor:"4,keyasint"`
	Properties  [][2]string `cbor:"5,keyasint"`
	ReplyTo     string      `cbor:"6,keyasint"`
	Correlation []byte      `cbor:"7,keyasint"`
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
	return Message{Topic: e.Topic, Payload: e.Payload, QoS: int(e.QoS), Retain: e.Retain, ContentType: e.ContentType,
		Properties: e.Properties, ReplyTo: e.ReplyTo, Correlation: e.Correlation}, nil
}
