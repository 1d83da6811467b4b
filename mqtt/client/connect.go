package client

import (
	"time"

	"github.com/entrepot/entrepot/mqtt/packet"
)

// login sends CONNECT and waits for CONNACK.
func (c *Client) login(r *reader) error {
	p := c.connect()
	auth, err := c.firstAuth(p)
	if err != nil {
		return err
	}
	ack, err := c.connack(r, p, auth)
	if err != nil {
		return err
	}
	if ack.Code != 0 {
		return refusedConnect(c.o.Version, ack)
	}
	if auth != nil {
		if _, err := c.stepAuth(auth, &ack.Properties); err != nil {
			return err
		}
	}
	c.present = ack.SessionPresent
	said := &ack.Properties
	if said.Has(packet.AssignedClientID) {
		c.id = string(said.Str(packet.AssignedClientID))
	}
	if said.Has(packet.ServerKeepAlive) {
		c.o.KeepAlive = time.Duration(said.Num(packet.ServerKeepAlive, 0)) * time.Second
	}
	c.maxOut = int(said.Num(packet.MaximumPacketSize, 0))
	c.window = make(chan struct{}, min(c.o.Window, int(said.Num(packet.ReceiveMaximum, 65535))))
	return nil
}

// connack sends CONNECT, answers each AUTH, and returns the CONNACK.
func (c *Client) connack(r *reader, say packet.Packet, auth Conversation) (*packet.Connack, error) {
	for {
		if _, err := c.conn.Write(say.AppendTo(nil, c.o.Version)); err != nil {
			return nil, err
		}
		h, body, err := r.next(c.o.Version)
		if err != nil {
			return nil, err
		}
		if h.Type == packet.CONNACK {
			ack := new(packet.Connack)
			return ack, ack.Parse(&rules, c.o.Version, h.Flags, body)
		}
		var p packet.Auth
		if h.Type != packet.AUTH || auth == nil {
			return nil, errUnasked
		}
		if err := p.Parse(&rules, c.o.Version, h.Flags, body); err != nil {
			return nil, err
		}
		if p.Code != packet.ContinueAuthentication {
			return nil, errUnasked
		}
		if say, err = c.answerAuth(auth, &p.Properties); err != nil {
			return nil, err
		}
	}
}

func (c *Client) connect() *packet.Connect {
	o := &c.o
	p := &packet.Connect{
		Version: o.Version, ClientID: []byte(o.ClientID), CleanStart: !o.Resume,
		KeepAlive: uint16(min(seconds(o.KeepAlive), 65535)),
	}
	if o.Version >= packet.V5 {
		if o.Expiry > 0 {
			p.Properties.SetNum(packet.SessionExpiryInterval, seconds(o.Expiry))
		}
		p.Properties.SetNum(packet.TopicAliasMaximum, maxAlias)
	} else {
		p.CleanStart = !o.Resume && o.Expiry == 0
	}
	if o.User != "" {
		p.HasUserName, p.UserName = true, []byte(o.User)
	}
	if o.Password != nil {
		p.HasPassword, p.Password = true, o.Password
	}
	if w := o.Will; w != nil {
		p.HasWill, p.WillQoS, p.WillRetain = true, w.QoS, w.Retain
		p.WillTopic, p.WillPayload = []byte(w.Topic), w.Payload
		if o.Version >= packet.V5 {
			w.properties(&p.WillProperties)
			if w.Delay > 0 {
				p.WillProperties.SetNum(packet.WillDelayInterval, seconds(w.Delay))
			}
		}
	}
	return p
}

// connackText are the words of 3.x. MQTT 3.1.1, 3.2.2.3.
var connackText = [...]string{1: "unacceptable protocol version", 2: "identifier rejected", 3: "server unavailable", 4: "bad user name or password", 5: "not authorized"}

func refusedConnect(v packet.Version, ack *packet.Connack) error {
	text := ack.Code.String()
	switch {
	case v < packet.V5 && int(ack.Code) < len(connackText):
		text = connackText[ack.Code]
	case ack.Properties.Has(packet.ReasonString):
		text = string(ack.Properties.Str(packet.ReasonString))
	}
	return &Refused{Packet: packet.CONNACK, Code: ack.Code, Text: text}
}
