package client

import (
	"context"
	"errors"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/entrepot/entrepot/core/topic"
)

// Subscribe sends what matches the filter to OnMessage and returns the QoS:
// 0 is consumed without acknowledgements, 1 with. "$queue/NAME" consumes that
// queue, made when it is absent; another filter gets a queue that ends with
// the connection, and begins with what is retained where the server offers it.
func (c *Client) Subscribe(_ context.Context, filter string, qos int) (granted int, err error) {
	granted = min(max(qos, 0), 1)
	ch, err := c.channel()
	if err != nil {
		return 0, c.told(err)
	}
	if err := ch.Qos(c.o.Prefetch, 0, false); err != nil {
		return 0, c.told(err)
	}
	queue, err := c.source(ch, filter)
	if err != nil {
		return 0, c.told(err)
	}
	in, err := ch.Consume(queue, "", granted == 0, false, false, false, nil)
	if err != nil {
		return 0, c.told(err)
	}
	c.work.Go(func() { c.receive(in, granted) })
	return granted, nil
}

// source is the queue that a filter is consumed from.
func (c *Client) source(ch *amqp.Channel, filter string) (string, error) {
	if queue, ok := strings.CutPrefix(filter, queuePrefix); ok {
		return queue, c.ensure(queue)
	}
	if strings.HasPrefix(filter, "$share/") {
		return "", errors.New("amqp: shared subscriptions are queues here: subscribe to $queue/NAME")
	}
	if err := topic.CheckWideFilter(filter, topic.Limits{}); err != nil {
		return "", err
	}
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return "", err
	}
	key := topic.Dotted.EncodeFilter(filter)
	if len(key) > 255 {
		return "", errors.New("amqp: the filter is longer than a binding key can be")
	}
	return q.Name, ch.QueueBind(q.Name, key, topicExchange, false, amqp.Table{"x-retained": true})
}

func (c *Client) receive(in <-chan amqp.Delivery, qos int) {
	for d := range in {
		c.receiving.Lock()
		c.o.OnMessage(received(&d, qos))
		c.receiving.Unlock()
		if qos > 0 {
			d.Ack(false) // a connection that has ended delivers again
		}
	}
}
