package client

import (
	"context"
	"errors"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/entrepot/entrepot/core/topic"
)

const (
	topicExchange = "amq.topic"
	queuePrefix   = "$queue/"
)

// ErrRefused is a publish that the server answered with basic.nack.
var ErrRefused = errors.New("amqp: the server refused the message")

// pendingConfirm is a publish that waits for its confirm.
type pendingConfirm struct {
	confirm *amqp.DeferredConfirmation
	done    func(error)
}

// Publish sends a message and calls done once: when it is written (QoS 0), or
// when the server has confirmed or refused it. It waits while the window is
// full.
func (c *Client) Publish(ctx context.Context, m Message, done func(error)) {
	exchange, key, err := c.address(m.Topic)
	if err != nil {
		done(err)
		return
	}
	p := m.publishing()
	if m.QoS <= 0 {
		done(c.told(c.plain.PublishWithContext(ctx, exchange, key, false, false, p)))
		return
	}
	select {
	case c.window <- struct{}{}:
	case <-c.done:
		done(c.failure())
		return
	case <-ctx.Done():
		done(ctx.Err())
		return
	}
	c.publishing.Lock()
	defer c.publishing.Unlock()
	select {
	case <-c.done: // nobody waits for confirms any more
		<-c.window
		done(c.failure())
		return
	default:
	}
	confirm, err := c.sure.PublishWithDeferredConfirmWithContext(ctx, exchange, key, false, false, p)
	if err != nil {
		<-c.window
		done(c.told(err))
		return
	}
	c.waits <- pendingConfirm{confirm, done}
}

// told prefers the reason of the end to the library's "closed".
func (c *Client) told(err error) error {
	if errors.Is(err, amqp.ErrClosed) {
		select {
		case <-c.done:
			return c.failure()
		default:
		}
	}
	return err
}

// confirm hands out the confirms in order, until the connection has ended and
// nothing waits any more.
func (c *Client) confirm() {
	for {
		select {
		case w := <-c.waits:
			c.await(w)
		case <-c.done:
			c.abandon()
			return
		}
	}
}

func (c *Client) await(w pendingConfirm) {
	err := ErrRefused
	select {
	case <-w.confirm.Done():
		if w.confirm.Acked() {
			err = nil
		} else if c.sure.IsClosed() { // the library's way of saying that no answer will come
			<-c.done
			err = c.failure()
		}
	case <-c.done:
		err = c.failure()
	}
	<-c.window
	w.done(err)
}

// abandon fails what was published and can never be confirmed.
func (c *Client) abandon() {
	c.publishing.Lock()
	defer c.publishing.Unlock()
	for {
		select {
		case w := <-c.waits:
			<-c.window
			w.done(c.failure())
		default:
			return
		}
	}
}

// address is where a topic is published. A queue is made when it is absent.
func (c *Client) address(name string) (exchange, key string, err error) {
	if err := topic.CheckName(name, topic.Limits{}); err != nil {
		return "", "", err
	}
	if queue, ok := strings.CutPrefix(name, queuePrefix); ok {
		return "", queue, c.ensure(queue)
	}
	if key = topic.Dotted.EncodeName(name); len(key) > 255 {
		return "", "", errors.New("amqp: the topic is longer than a routing key can be")
	}
	return topicExchange, key, nil
}

// ensure makes a durable queue that does not exist, and takes one that does
// as it is.
func (c *Client) ensure(queue string) error {
	c.mu.Lock()
	known := c.queues[queue]
	c.mu.Unlock()
	if known {
		return nil
	}
	err := c.briefly(func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		return err
	})
	var refused *amqp.Error
	if errors.As(err, &refused) && refused.Code == amqp.NotFound {
		err = c.briefly(func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare(queue, true, false, false, false, nil)
			return err
		})
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.queues[queue] = true
	c.mu.Unlock()
	return nil
}

// briefly runs fn on a channel of its own, whose end ends nothing else.
func (c *Client) briefly(fn func(*amqp.Channel) error) error {
	ch, err := c.conn.Channel()
	if err != nil {
		return c.told(err)
	}
	defer ch.Close()
	return fn(ch)
}
