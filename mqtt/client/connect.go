package client

import (
	"time"

	"github.com/entrepot/entrepot/mqtt/packet"
)

// login sends CONNECT and waits for CONNACK.
func (c *Client) login(r *reader) error {
	if _, err := c.conn.Write(c.connect().AppendTo(nil, c.o.Version)); err != nil {
		return err
	}
	h, body, err := r.next(c.o.Version)
	if err != nil {
		return err
	}
	var ack packet.Connack
	if h.Type != packet.CONNACK {
		return errUnasked
	}
	if err := ack.Parse(&rules, c.o.Version, h.Flags, body); err != nil {
		return err
	}
	if ack.Code != 0 {
		return refusedConnect(c.o.Version, &ack)
	}
	c.present = ack.SessionPresent
	p := &ack.Properties
	if p.Has(packet.AssignedClientID) {
		c.id = string(p.Str(packet.AssignedClientID))
	}
	if p.Has(packet.ServerKeepAlive) {
		c.o.KeepAlive = time.Duration(p.Num(packet.ServerKeepAlive, 0)) * time.Second
	}
	c.maxOut = int(p.Num(packet.MaximumPacketSize, 0))
	c.window = make(chan struct{}, min(c.o.Window, int(p.Num(packet.ReceiveMaximum, 65535))))
	return nil
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
