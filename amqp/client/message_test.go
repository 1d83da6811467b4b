package client

import (
	"reflect"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// delivered is what a receiver of p gets.
func delivered(key string, p amqp.Publishing) *amqp.Delivery {
	return &amqp.Delivery{
		Exchange: topicExchange, RoutingKey: key, Body: p.Body, Headers: p.Headers, ContentType: p.ContentType,
		DeliveryMode: p.DeliveryMode, CorrelationId: p.CorrelationId, ReplyTo: p.ReplyTo, Expiration: p.Expiration,
	}
}

func TestAMQP_AM1_MessagesGoThereAndBack(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]Message{
		"bare":       {Topic: "a/b", Payload: []byte("x")},
		"retained":   {Topic: "a/b", QoS: 1, Retain: true},
		"rich":       {Topic: "a/b", QoS: 1, ContentType: "text/plain", Expiry: time.Second, ReplyTo: "r/s.t", Correlation: []byte("c")},
		"to a queue": {Topic: "a/b", ReplyTo: "$queue/jobs"},
		"binary":     {Topic: "a/b", Correlation: []byte{0, 0xff}},
		"duplicates": {Topic: "a/b", Headers: []Header{{"k", "1"}, {"k", "2"}}},
	} {
		p := m.publishing()
		if err := p.Headers.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := received(delivered("a.b", p), 1); !reflect.DeepEqual(got, m) {
			t.Errorf("%s:\n%+v\n%+v", name, got, m)
		}
	}
}
