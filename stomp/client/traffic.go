package client

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/entrepot/entrepot/stomp/frame"
)

// put writes a frame behind what was written before. With done it asks for a
// receipt and calls it once, with nil when that has come.
func (c *Client) put(f *frame.Frame, done func(error)) {
	c.mu.Lock()
	if c.ended {
		err := c.err
		c.mu.Unlock()
		if err == nil {
			err = errClosed
		}
		if done != nil {
			done(err)
		}
		return
	}
	if done != nil {
		c.n++
		id := strconv.Itoa(c.n)
		f.Add("receipt", id)
		c.waiting[id] = done
	}
	c.scratch = f.AppendTo(c.scratch[:0], c.version)
	_, err := c.out.Write(c.scratch)
	c.wrote = time.Now()
	c.mu.Unlock()
	if err != nil {
		c.end(err)
		return
	}
	select {
	case c.flush <- struct{}{}:
	default:
	}
}

// write flushes what put has gathered, and beats when there was nothing.
func (c *Client) write() {
	beat := make(<-chan time.Time)
	if c.send > 0 {
		ticker := time.NewTicker(c.send / 2)
		defer ticker.Stop()
		beat = ticker.C
	}
	for {
		select {
		case <-c.done:
			return
		case <-c.flush:
		case <-beat:
		}
		c.mu.Lock()
		if c.send > 0 && time.Since(c.wrote) >= c.send/2 {
			c.out.WriteByte('\n')
			c.wrote = time.Now()
		}
		err := c.out.Flush()
		c.mu.Unlock()
		if err != nil {
			c.end(err)
			return
		}
	}
}

// read takes what the server says until the connection ends.
func (c *Client) read(r *reader) {
	var last names
	for {
		f, err := r.next(2 * c.receive)
		if err != nil {
			c.end(err)
			return
		}
		switch f.Command {
		case frame.Message:
			c.message(f, &last)
		case frame.Receipt:
			id, _ := f.Get("receipt-id")
			c.mu.Lock()
			done := c.waiting[string(id)]
			delete(c.waiting, string(id))
			c.mu.Unlock()
			if done != nil {
				done(nil)
			}
		case frame.Error:
			c.end(serverError(f))
			return
		}
	}
}

func (c *Client) message(f *frame.Frame, last *names) {
	sub, _ := f.Get("subscription")
	c.mu.Lock()
	acked := c.acked[string(sub)]
	c.mu.Unlock()
	if !acked {
		c.o.OnMessage(received(f, last))
		return
	}
	id, ok := f.Get("ack")
	if !ok {
		id, _ = f.Get("message-id")
	}
	name := "id"
	if c.version < frame.V12 {
		name = "message-id"
	}
	a := &frame.Frame{Command: frame.Ack}
	a.Add(name, string(id))
	a.Add("subscription", string(sub))
	c.o.OnMessage(received(f, last))
	c.put(a, nil)
}

// Publish sends a message and calls done once, from any goroutine: with nil
// when the server has acknowledged it (QoS 1) or the connection has taken it
// (QoS 0), else with the reason. Messages are sent in the order of the calls.
// Publish waits while the window is full. What the version cannot say is an
// error, and nothing is sent.
func (c *Client) Publish(ctx context.Context, m Message, done func(error)) {
	f := m.send()
	for _, h := range f.Headers {
		if !frame.Says(c.version, h.Name, h.Value) {
			done(fmt.Errorf("stomp: the header %q: version %s cannot say its name or value %q", h.Name, c.version, h.Value))
			return
		}
	}
	if m.QoS <= 0 {
		c.put(f, nil)
		select {
		case <-c.done:
			err := c.Err()
			if err == nil {
				err = errClosed
			}
			done(err)
		default:
			done(nil)
		}
		return
	}
	select {
	case c.window <- struct{}{}:
	case <-ctx.Done():
		done(ctx.Err())
		return
	}
	c.put(f, func(err error) {
		<-c.window
		done(err)
	})
}

// Subscribe returns the granted QoS when the server has confirmed the filter.
// A server that refuses it ends the connection.
func (c *Client) Subscribe(ctx context.Context, filter string, qos int) (granted int, err error) {
	granted = min(max(qos, 0), 1)
	c.mu.Lock()
	c.n++
	id := "s" + strconv.Itoa(c.n)
	c.acked[id] = granted > 0
	c.mu.Unlock()
	result := make(chan error, 1)
	c.put(subscribe(filter, id, granted), func(err error) { result <- err })
	select {
	case err = <-result:
		return granted, err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Close ends the connection with DISCONNECT: everything before it has been
// processed when it returns nil. The context bounds the wait.
func (c *Client) Close(ctx context.Context) error {
	result := make(chan error, 1)
	defer c.work.Wait()
	c.put(&frame.Frame{Command: frame.Disconnect}, func(err error) {
		c.mu.Lock()
		c.closing = err == nil // what the reader meets from now on was asked for
		c.mu.Unlock()
		result <- err
	})
	var err error
	select {
	case err = <-result:
	case <-ctx.Done():
		err = ctx.Err()
	}
	c.end(nil)
	if err == errClosed {
		return nil
	}
	return err
}
