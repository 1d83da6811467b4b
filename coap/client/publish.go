package client

import (
	"bytes"
	"context"
	"strconv"
	"time"

	coap "github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/pool"

	"github.com/entrepot/entrepot/coap/message"
)

// Message is what is published and what an observation tells.
type Message struct {
	Topic       string
	Payload     []byte
	QoS         int // 0: Non-confirmable, 1 and 2: Confirmable
	Retain      bool
	ContentType string
	Expiry      time.Duration // outwards only: whole seconds, rounded up; 0 for none
	ReplyTo     string
	Correlation []byte
	Properties  [][2]string // inwards only
}

// noAnswer asks for no response of any class (RFC 7967).
const noAnswer = 2 | 8 | 16

// largestNON is what goes out in one datagram without an answer, octets;
// larger bodies go block-wise, which needs answers.
const largestNON = message.MaxBlockSize

// Publish publishes a message: PUT where it is to be retained, else POST. QoS 1
// and 2 return when the server has accepted it, with an *Error if it did not;
// QoS 0 returns when the datagram is sent.
func (c *Client) Publish(ctx context.Context, m Message) error {
	method := message.POST
	if m.Retain {
		method = message.PUT
	}
	build := func() (*pool.Message, error) {
		req, err := c.request(ctx, method, m.Topic, m.queries()...)
		if err != nil {
			return nil, err
		}
		if f, ok := message.FormatOf(m.ContentType); ok {
			req.SetOptionUint32(coap.ContentFormat, uint32(f))
		}
		return req, nil
	}
	if m.QoS > 0 || len(m.Payload) > largestNON {
		return c.send(build, m.Payload)
	}
	req, err := build()
	if err != nil {
		return err
	}
	defer c.conn.ReleaseMessage(req)
	if len(m.Payload) > 0 {
		req.SetBody(bytes.NewReader(m.Payload))
	}
	req.SetType(coap.NonConfirmable)
	req.SetOptionUint32(coap.NoResponse, noAnswer)
	return c.conn.WriteMessage(req)
}

// queries say what no option does.
func (m *Message) queries() (q []string) {
	if m.QoS == 2 || m.QoS == 0 && len(m.Payload) > largestNON {
		q = append(q, "qos="+strconv.Itoa(m.QoS))
	}
	if m.Expiry > 0 {
		q = append(q, "expiry="+strconv.FormatInt(int64((m.Expiry+time.Second-1)/time.Second), 10))
	}
	if m.ContentType != "" {
		if _, ok := message.FormatOf(m.ContentType); !ok {
			q = append(q, "ct="+m.ContentType)
		}
	}
	if m.ReplyTo != "" {
		q = append(q, "reply="+m.ReplyTo)
	}
	if len(m.Correlation) > 0 {
		q = append(q, "cid="+string(m.Correlation))
	}
	return q
}

// Get reads the retained value of a topic.
func (c *Client) Get(ctx context.Context, topic string) (Message, error) {
	body, err := c.fetch(func() (*pool.Message, error) { return c.request(ctx, message.GET, topic, "env=cbor") })
	if err != nil {
		return Message{}, err
	}
	return open(body)
}
