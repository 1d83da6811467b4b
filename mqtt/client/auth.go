package client

import (
	"context"
	"errors"

	"github.com/entrepot/entrepot/mqtt/packet"
)

// Mechanism is the client's side of an authentication method of 5.0.
type Mechanism interface {
	// Method is its name.
	Method() string
	// Begin opens the exchange of one login.
	Begin() Conversation
}

// Conversation is one login. Step is given nil first, then what the server
// sent, up to its last word; it returns what is to be sent, and after the last
// word nothing. An error ends the connection: who cannot prove to be the
// server is none.
type Conversation interface {
	Step(data []byte) ([]byte, error)
}

var (
	errAuthVersion = errors.New("mqtt: enhanced authentication needs version 5.0")
	errAuthMethod  = errors.New("mqtt: the server answers by another authentication method")
	errAuthBusy    = errors.New("mqtt: an authentication is under way")
	errNoMethod    = errors.New("mqtt: no authentication method was chosen")
)

// reauth is a later login under way.
type reauth struct {
	login Conversation
	done  chan error
}

// firstAuth adds the method to CONNECT. [MQTT-4.12.0-1]
func (c *Client) firstAuth(p *packet.Connect) (Conversation, error) {
	m := c.o.Auth
	if m == nil {
		return nil, nil
	}
	if c.o.Version < packet.V5 {
		return nil, errAuthVersion
	}
	login := m.Begin()
	data, err := login.Step(nil)
	if err != nil {
		return nil, err
	}
	setAuth(&p.Properties, m.Method(), data)
	return login, nil
}

func setAuth(p *packet.Properties, method string, data []byte) {
	p.SetStr(packet.AuthenticationMethod, []byte(method))
	if data != nil {
		p.SetStr(packet.AuthenticationData, data)
	}
}

// answerAuth makes the answer to an AUTH. [MQTT-4.12.0-3]
func (c *Client) answerAuth(login Conversation, p *packet.Properties) (*packet.Auth, error) {
	data, err := c.stepAuth(login, p)
	if err != nil {
		return nil, err
	}
	a := &packet.Auth{Code: packet.ContinueAuthentication}
	setAuth(&a.Properties, c.o.Auth.Method(), data)
	return a, nil
}

// stepAuth takes what the server sent, which must be by the method of CONNECT.
// [MQTT-4.12.0-5]
func (c *Client) stepAuth(login Conversation, p *packet.Properties) ([]byte, error) {
	if string(p.Str(packet.AuthenticationMethod)) != c.o.Auth.Method() {
		return nil, errAuthMethod
	}
	return login.Step(append([]byte{}, p.Str(packet.AuthenticationData)...))
}

// Reauthenticate logs in again by the method of Options.Auth, while everything
// else goes on, and waits for the end. A failure ends the connection.
func (c *Client) Reauthenticate(ctx context.Context) error {
	if c.o.Auth == nil {
		return errNoMethod
	}
	login := c.o.Auth.Begin()
	data, err := login.Step(nil)
	if err != nil {
		return err
	}
	r := &reauth{login: login, done: make(chan error, 1)}
	a := &packet.Auth{Code: packet.ReAuthenticate}
	setAuth(&a.Properties, c.o.Auth.Method(), data)
	c.mu.Lock()
	switch {
	case c.ended:
		err = errClosed
	case c.reauth != nil:
		err = errAuthBusy
	default:
		c.reauth = r
		c.append(a)
	}
	c.mu.Unlock()
	if err != nil {
		return err
	}
	c.kick()
	select {
	case err := <-r.done:
		return err
	case <-c.done:
		if err := c.Err(); err != nil {
			return err
		}
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// onAuth goes on with a later login.
func (c *Client) onAuth(p *packet.Auth) error {
	c.mu.Lock()
	r := c.reauth
	c.mu.Unlock()
	if r == nil {
		return errUnasked
	}
	if p.Code == packet.ContinueAuthentication {
		a, err := c.answerAuth(r.login, &p.Properties)
		if err == nil {
			c.send(a)
		}
		return err
	}
	_, err := c.stepAuth(r.login, &p.Properties)
	c.mu.Lock()
	c.reauth = nil
	c.mu.Unlock()
	r.done <- err
	return err
}
