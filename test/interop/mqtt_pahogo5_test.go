package interop

import (
	"context"
	"encoding/hex"
	"errors"
	"net/url"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
	"github.com/eclipse/paho.golang/paho/session"
)

// pahoGo5 is a client of paho.golang: 5.0.
type pahoGo5 struct {
	m       *autopaho.ConnectionManager
	say     func(mqttAnswer)
	again   bool // it reconnects
	aliases sync.Map

	mu   sync.Mutex
	code int // of a DISCONNECT
}

func newPahoGo5(r *mqttRequest, say func(mqttAnswer)) (mqttLink, mqttAnswer) {
	l := &pahoGo5{say: say, again: r.Reconnect}
	to, err := url.Parse(r.URL)
	if err != nil {
		return nil, mqttAnswer{Error: err.Error()}
	}
	opened := make(chan mqttAnswer, 1)
	first := true
	ctx, cancel := context.WithCancel(context.Background())
	cfg := autopaho.ClientConfig{
		ServerUrls: []*url.URL{to}, KeepAlive: uint16(r.KeepAlive), CleanStartOnInitialConnection: r.Clean, SessionExpiryInterval: uint32(r.Expiry),
		ReconnectBackoff: func(n int) time.Duration { return time.Duration(min(n, 4)) * 50 * time.Millisecond }, ConnectTimeout: patience,
		ConnectPacketBuilder: func(c *paho.Connect, _ *url.URL) (*paho.Connect, error) { return l.connect(c, r), nil },
		OnConnectionUp: func(_ *autopaho.ConnectionManager, ack *paho.Connack) {
			l.aliases.Clear()
			if !first {
				say(mqttAnswer{Event: "up"})
				return
			}
			first = false
			a := mqttAnswer{Present: ack.SessionPresent}
			if p := ack.Properties; p != nil {
				a.Assigned = p.AssignedClientID
				if p.ServerKeepAlive != nil {
					a.KeepAlive = int(*p.ServerKeepAlive)
				}
			}
			opened <- a
		},
		OnConnectionDown: func() bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			say(mqttAnswer{Event: "lost", Code: l.code})
			l.code = 0
			return r.Reconnect
		},
		OnConnectError: func(err error) {
			if !first {
				return // it is tried again
			}
			a := mqttAnswer{Error: err.Error()}
			var refused *autopaho.ConnackError
			if errors.As(err, &refused) {
				a = mqttAnswer{Code: int(refused.ReasonCode)}
			}
			select {
			case opened <- a:
				cancel()
			default:
			}
		},
		ClientConfig: paho.ClientConfig{
			ClientID: r.ID, PacketTimeout: patience,
			OnPublishReceived: []func(paho.PublishReceived) (bool, error){l.received},
			OnServerDisconnect: func(d *paho.Disconnect) {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.code = int(d.ReasonCode)
			},
		},
	}
	l.m, err = autopaho.NewConnection(ctx, cfg)
	if err != nil {
		cancel()
		return nil, mqttAnswer{Error: err.Error()}
	}
	return l, <-opened
}

// connect puts what the library's configuration has no field for into CONNECT.
func (l *pahoGo5) connect(c *paho.Connect, r *mqttRequest) *paho.Connect {
	if c.Properties == nil {
		c.Properties = &paho.ConnectProperties{}
	}
	c.Properties.RequestProblemInfo = true
	if n := uint16(r.ReceiveMaximum); n > 0 {
		c.Properties.ReceiveMaximum = &n
	}
	if n := uint16(r.TopicAliasMax); n > 0 {
		c.Properties.TopicAliasMaximum = &n
	}
	if w := r.Will; w != nil {
		payload, _ := hex.DecodeString(w.Payload)
		delay := uint32(w.Delay)
		c.WillMessage = &paho.WillMessage{Topic: w.Topic, Payload: payload, QoS: byte(w.QoS), Retain: w.Retain}
		c.WillProperties = &paho.WillProperties{WillDelayInterval: &delay, ContentType: w.ContentType}
		for _, u := range w.User {
			c.WillProperties.User.Add(u[0], u[1])
		}
	}
	return c
}

func (l *pahoGo5) received(r paho.PublishReceived) (bool, error) {
	m := r.Packet
	a := mqttAnswer{Event: "message", Dup: m.Duplicate(), mqttMessage: mqttMessage{Topic: m.Topic, Payload: hex.EncodeToString(m.Payload), QoS: int(m.QoS), Retain: m.Retain}}
	p := m.Properties
	if p == nil {
		l.say(a)
		return true, nil
	}
	a.ContentType, a.Response, a.Correlation = p.ContentType, p.ResponseTopic, hex.EncodeToString(p.CorrelationData)
	if p.MessageExpiry != nil {
		a.Expires = int(*p.MessageExpiry)
	}
	if p.SubscriptionIdentifier != nil {
		a.Identifiers = []int{*p.SubscriptionIdentifier} // the library keeps one
	}
	for _, u := range p.User {
		a.User = append(a.User, [2]string{u.Key, u.Value})
	}
	if p.TopicAlias != nil {
		a.Alias = int(*p.TopicAlias)
		if m.Topic != "" {
			l.aliases.Store(a.Alias, m.Topic)
		} else if name, ok := l.aliases.Load(a.Alias); ok {
			a.Topic = name.(string)
		}
	}
	l.say(a)
	return true, nil
}

func (l *pahoGo5) do(r *mqttRequest) (a mqttAnswer) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var err error
	switch r.Op {
	case "publish":
		a, err = l.publish(ctx, r)
	case "subscribe":
		s := &paho.Subscribe{Properties: &paho.SubscribeProperties{}}
		for _, f := range r.Filters {
			s.Subscriptions = append(s.Subscriptions, paho.SubscribeOptions{Topic: f, QoS: byte(r.QoS), NoLocal: r.NoLocal,
				RetainAsPublished: r.RetainAsPublished, RetainHandling: byte(r.RetainHandling)})
		}
		if r.Identifier > 0 {
			s.Properties.SubscriptionIdentifier = &r.Identifier
		}
		var ack *paho.Suback
		if ack, err = l.m.Subscribe(ctx, s); ack != nil {
			a.Codes, err = codes(ack.Reasons), nil // 0x80 and above are errors to the library
		}
	case "unsubscribe":
		var ack *paho.Unsuback
		if ack, err = l.m.Unsubscribe(ctx, &paho.Unsubscribe{Topics: r.Filters}); ack != nil {
			a.Codes, err = codes(ack.Reasons), nil
		}
	case "disconnect":
		err = l.m.Disconnect(ctx)
	}
	if err != nil {
		a.Error = err.Error()
	}
	return a
}

func codes(reasons []byte) (all []int) {
	for _, r := range reasons {
		all = append(all, int(r))
	}
	return all
}

// down tells that the library took no message, since the connection is lost: its manager says so with an error of its own,
// its session, which learns of it a moment earlier, with another.
func down(err error) bool {
	return errors.Is(err, autopaho.ConnectionDownError) || errors.Is(err, session.ErrNoConnection)
}

// publish sends one after the other, since the library's order of several at a time is not defined. Its session keeps what
// a lost connection interrupts.
func (l *pahoGo5) publish(ctx context.Context, r *mqttRequest) (a mqttAnswer, err error) {
	p := &paho.Publish{Topic: r.Topic, QoS: byte(r.QoS), Retain: r.Retain, Properties: &paho.PublishProperties{ContentType: r.ContentType, ResponseTopic: r.Response}}
	if r.Correlation != "" {
		p.Properties.CorrelationData, _ = hex.DecodeString(r.Correlation)
	}
	if n := uint32(r.Expires); n > 0 {
		p.Properties.MessageExpiry = &n
	}
	if n := uint16(r.Alias); n > 0 {
		p.Properties.TopicAlias = &n
	}
	for _, u := range r.User {
		p.Properties.User.Add(u[0], u[1])
	}
	for _, p.Payload = range payloads(r) {
		ack, err := l.m.Publish(ctx, p)
		for l.again && down(err) {
			if err = l.m.AwaitConnection(ctx); err == nil {
				ack, err = l.m.Publish(ctx, p)
			}
		}
		switch {
		case ack != nil && ack.ReasonCode >= 0x80: // an error to the library
		case err != nil:
			return a, err
		}
		if ack != nil {
			a.Code = int(ack.ReasonCode)
		}
	}
	return a, nil
}
