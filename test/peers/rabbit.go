package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/entrepot/entrepot/test/peers/load"
)

const (
	confirmers  = 64
	unconfirmed = 16
)

func durable() []workload {
	return []workload{
		{name: "confirms", about: "AMQP 0-9-1 by amqp091-go, 64 connections, 16 unconfirmed messages each, persistent, into one durable queue, confirmed when synced",
			peers: []string{entrepot, rabbit}, serving: serving{durable: true, protocols: []string{"amqp"}}, measure: confirms,
			rows: []*row{{key: "rate", title: "AMQP durable queue with confirms", unit: "msgs/s", goals: []goal{atLeast(1, rabbit)}},
				cpuRow("AMQP durable queue with confirms, CPU", atMost(1, rabbit))}},
		{name: "confirms-mqtt", about: "the same by MQTT: 64 publishers, 16 in flight each, QoS 1, into a durable session that is away", peers: []string{entrepot}, serving: serving{durable: true},
			measure: func(b *bench, s *server, _ *load.Engine) (*result, error) {
				return b.syncedBy(s, confirmers, unconfirmed, false)
			},
			rows: []*row{{key: "rate", title: "MQTT QoS 1 into a durable session", unit: "msgs/s"}, cpuRow("MQTT QoS 1 into a durable session, CPU")}},
	}
}

// publisher is one AMQP connection with its unconfirmed messages.
type publisher struct {
	conn *amqp.Connection
	ch   *amqp.Channel
}

func confirms(b *bench, s *server, _ *load.Engine) (*result, error) {
	const queue = "bench"
	var all []publisher
	defer func() {
		for _, p := range all {
			_ = p.conn.Close() // the broker is ended next
		}
	}()
	for i := range confirmers {
		c, err := amqp.Dial("amqp://guest:guest@" + s.address["amqp"])
		if err != nil {
			return nil, err
		}
		ch, err := c.Channel()
		if err != nil {
			return nil, err
		}
		all = append(all, publisher{c, ch})
		if i == 0 {
			if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
				return nil, err
			}
		}
		if err := ch.Confirm(false); err != nil {
			return nil, err
		}
	}
	var done atomic.Uint64
	var failed atomic.Pointer[error]
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, p := range all {
		wg.Go(func() {
			if err := p.publish(ctx, queue, &done); err != nil && ctx.Err() == nil {
				failed.Store(&err)
			}
		})
	}
	time.Sleep(b.warmup)
	broker, own, from, began := s.cpu(), ownCPU(), done.Load(), time.Now()
	time.Sleep(b.time)
	n, took := float64(done.Load()-from), time.Since(began).Seconds()
	broker, own = s.cpu()-broker, ownCPU()-own
	cancel()
	wg.Wait()
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	if n == 0 {
		return nil, fmt.Errorf("nothing was confirmed")
	}
	return &result{values: map[string]float64{"rate": n / took, "cpu": broker.Seconds() / n * 1e6}, own: own.Seconds() / n * 1e6,
		bound: own.Seconds()/took > .9 && broker.Seconds()/took < .9}, nil
}

// publish keeps some messages unconfirmed until the context ends.
func (p publisher) publish(ctx context.Context, queue string, done *atomic.Uint64) error {
	body := make([]byte, 64)
	var open []*amqp.DeferredConfirmation
	for {
		for len(open) < unconfirmed {
			c, err := p.ch.PublishWithDeferredConfirmWithContext(ctx, "", queue, false, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: body})
			if err != nil {
				return err
			}
			open = append(open, c)
		}
		ok, err := open[0].WaitContext(ctx)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("a message was refused")
		}
		done.Add(1)
		open = open[1:]
	}
}
