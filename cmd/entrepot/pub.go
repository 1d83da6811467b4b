package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/entrepot/entrepot/internal/dial"
)

// pub holds the flags of `entrepot pub`.
type pub struct {
	target
	source
	qos         int
	retain      bool
	repeat      int
	every       time.Duration
	headers     []string
	contentType string
	expiry      time.Duration
	replyTo     string
	correlation string
}

func pubCommand(s streams) *cobra.Command {
	p := &pub{}
	cmd := &cobra.Command{
		Use:   "pub URL TOPIC [PAYLOAD]",
		Short: "Publish messages by any protocol",
		Long: `Publish messages by any protocol; the URL's scheme chooses it. TOPIC is canonical in every protocol: levels with / between them.
With QoS 1 and 2 the command ends when the server has acknowledged; a refusal is reported with its name and code.`,
		Example: `  entrepot pub mqtt://127.0.0.1 sensors/cellar/temp 21.5 -q 1 -r
  entrepot pub coap://127.0.0.1 hello/world hi
  entrepot pub amqp://127.0.0.1 orders/new -f order.json --content-type application/json --header tenant=north
  seq 1000 | entrepot pub stomp://127.0.0.1 numbers -l -q 1`,
		Args: cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error { return p.run(cmd.Context(), s, args) },
	}
	p.target.flags(cmd)
	p.source.flags(cmd)
	f := cmd.Flags()
	f.IntVarP(&p.qos, "qos", "q", 0, "0, 1 or 2; -1 for MQTT-SN without a session")
	f.BoolVarP(&p.retain, "retain", "r", false, "keep the message for those who subscribe later")
	f.IntVar(&p.repeat, "repeat", 1, "publish that many times")
	f.DurationVar(&p.every, "every", 0, "wait that long between two messages")
	f.StringArrayVar(&p.headers, "header", nil, "application header KEY=VALUE, may be repeated")
	f.StringVar(&p.contentType, "content-type", "", "such as application/json")
	f.DurationVar(&p.expiry, "expiry", 0, "the message is worthless after that time")
	f.StringVar(&p.replyTo, "reply-to", "", "topic for the answer")
	f.StringVar(&p.correlation, "correlation", "", "what the answer repeats")
	return cmd
}

func (p *pub) run(ctx context.Context, s streams, args []string) error {
	o, err := p.target.parse(s, args[0])
	if err != nil {
		return err
	}
	m, err := p.common(args[1])
	if err != nil {
		return err
	}
	if err := dial.Abilities(o.Protocol(), o.Version).Check(o.Protocol(), m); err != nil {
		return failed(o.Address.String(), err)
	}
	next, err := p.source.open(s.in, args[2:])
	if err != nil {
		return err
	}
	o.Connectionless = p.qos < 0
	c, err := p.connect(ctx, o)
	if err != nil {
		return err
	}
	err = p.publish(ctx, c, m, next)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.timeout)
	defer cancel()
	if closed := c.Close(end); err == nil {
		err = closed
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return failed(o.Address.String(), err)
}

// common is what all messages of the call have in common.
func (p *pub) common(topic string) (dial.Message, error) {
	m := dial.Message{Topic: topic, QoS: p.qos, Retain: p.retain, ContentType: p.contentType, Expiry: p.expiry, ReplyTo: p.replyTo}
	if p.correlation != "" {
		m.Correlation = []byte(p.correlation)
	}
	for _, h := range p.headers {
		name, value, ok := strings.Cut(h, "=")
		if !ok || name == "" {
			return m, &exitError{exitUsage, fmt.Sprintf("--header %q: write KEY=VALUE", h)}
		}
		m.Headers = append(m.Headers, dial.Header{Name: name, Value: value})
	}
	if p.repeat < 1 {
		return m, &exitError{exitUsage, "--repeat is at least 1"}
	}
	return m, nil
}

// publish sends every payload over the one connection and waits for all acknowledgements. OPERATIONS X3, X4
func (p *pub) publish(ctx context.Context, c dial.Conn, m dial.Message, next payloads) error {
	t := newTally()
	for sent := 0; ; {
		payload, more, err := next()
		if err != nil || !more {
			return firstError(err, t.wait(ctx, c, p.timeout))
		}
		m.Payload = payload
		for range p.repeat {
			if sent > 0 && p.every > 0 && !pause(ctx, p.every) || t.failed() {
				return firstError(ctx.Err(), t.wait(ctx, c, p.timeout))
			}
			sent++
			c.Publish(ctx, m, t.start())
		}
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// pause waits between two messages; false when the command was interrupted.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
