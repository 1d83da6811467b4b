package interop

import (
	"encoding/hex"
	"errors"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// pahoGo3 is a client of paho.mqtt.golang: 3.1 and 3.1.1.
type pahoGo3 struct {
	c     paho.Client
	again bool          // it reconnects
	ended chan struct{} // closed when the connection is gone for good
}

func newPahoGo3(r *mqttRequest, say func(mqttAnswer)) (mqttLink, mqttAnswer) {
	l := &pahoGo3{again: r.Reconnect, ended: make(chan struct{})}
	up := false
	o := paho.NewClientOptions().AddBroker(strings.Replace(r.URL, "mqtt:", "tcp:", 1)).SetClientID(r.ID).SetCleanSession(r.Clean).
		SetProtocolVersion(uint(r.Version)).SetKeepAlive(time.Duration(r.KeepAlive) * time.Second).SetConnectTimeout(patience).
		SetAutoReconnect(r.Reconnect).SetMaxReconnectInterval(200 * time.Millisecond).SetResumeSubs(true)
	o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
		say(mqttAnswer{Event: "message", Dup: m.Duplicate(), mqttMessage: mqttMessage{Topic: m.Topic(), Payload: hex.EncodeToString(m.Payload()), QoS: int(m.Qos()), Retain: m.Retained()}})
	})
	o.SetConnectionLostHandler(func(paho.Client, error) {
		if !r.Reconnect {
			close(l.ended)
		}
		say(mqttAnswer{Event: "lost"})
	})
	o.SetOnConnectHandler(func(paho.Client) {
		if up {
			say(mqttAnswer{Event: "up"})
		}
		up = true
	})
	if w := r.Will; w != nil {
		payload, _ := hex.DecodeString(w.Payload)
		o.SetBinaryWill(w.Topic, payload, byte(w.QoS), w.Retain)
	}
	l.c = paho.NewClient(o)
	tok := l.c.Connect().(*paho.ConnectToken)
	if err := l.wait(tok); err != nil && tok.ReturnCode() == 0 {
		return nil, mqttAnswer{Error: err.Error()}
	}
	return l, mqttAnswer{Code: int(tok.ReturnCode()), Present: tok.SessionPresent()}
}

var errLost = errors.New("connection lost")

func (l *pahoGo3) wait(tok paho.Token) error {
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-tok.Done():
		return tok.Error()
	case <-l.ended:
		return errLost
	case <-late.C:
		return errors.New("the gateway does not answer")
	}
}

func (l *pahoGo3) do(r *mqttRequest) (a mqttAnswer) {
	var err error
	switch r.Op {
	case "publish":
		var toks []paho.Token
		for _, p := range payloads(r) {
			toks = append(toks, l.c.Publish(r.Topic, byte(r.QoS), r.Retain, p))
		}
		for _, tok := range toks {
			if lost := l.wait(tok); !l.again || r.QoS == 0 { // else the library keeps it and sends it again
				err = errors.Join(err, lost)
			}
		}
	case "subscribe":
		filters := map[string]byte{}
		for _, f := range r.Filters {
			filters[f] = byte(r.QoS)
		}
		tok := l.c.SubscribeMultiple(filters, nil).(*paho.SubscribeToken)
		err = l.wait(tok)
		for _, f := range r.Filters {
			code, ok := tok.Result()[f]
			if ok {
				a.Codes, err = append(a.Codes, int(code)), nil // 0x80 is an error to the library
			}
		}
	case "unsubscribe":
		err = l.wait(l.c.Unsubscribe(r.Filters...))
	case "disconnect":
		l.c.Disconnect(250) // milliseconds for what is under way
	}
	if err != nil {
		a.Error = err.Error()
	}
	return a
}
