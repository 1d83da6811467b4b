package client

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/entrepot/entrepot/mqtt/packet"
)

// echo is a method whose client says "first", then what it hears, until it
// hears "last"; anything but that from the server at the end is no proof.
type echo struct{}

func (echo) Method() string      { return "ECHO" }
func (echo) Begin() Conversation { return new(echoed) }

type echoed struct{ n int }

var errNoProof = errors.New("no proof")

func (e *echoed) Step(data []byte) ([]byte, error) {
	e.n++
	switch {
	case e.n == 1:
		return []byte("first"), nil
	case e.n == 2:
		return data, nil
	case string(data) == "last":
		return nil, nil
	}
	return nil, errNoProof
}

// A line of a script: what the server expects and what it answers.
type line struct {
	hears packet.Packet
	says  packet.Packet
}

func authOf(code packet.Code, method, data string) *packet.Auth {
	a := &packet.Auth{Code: code}
	setAuth(&a.Properties, method, []byte(data))
	return a
}

func connack(method, data string) *packet.Connack {
	k := new(packet.Connack)
	setAuth(&k.Properties, method, []byte(data))
	return k
}

// scripted logs in with a server that follows a script.
func scripted(t *testing.T, o Options, script []line) (*Client, error) {
	t.Helper()
	here, there := net.Pipe()
	go func() {
		r := newReader(there)
		for _, l := range script {
			h, body, err := r.next5()
			if err != nil {
				return
			}
			p := packet.New(h.Type)
			if err := p.Parse(nil, packet.V5, h.Flags, body); err != nil {
				t.Error(err)
			}
			if l.hears != nil && string(p.AppendTo(nil, packet.V5)) != string(l.hears.AppendTo(nil, packet.V5)) {
				t.Errorf("heard %+v, want %+v", p, l.hears)
			}
			if _, err := there.Write(l.says.AppendTo(nil, packet.V5)); err != nil {
				return
			}
		}
		for { // until the client has gone
			if _, _, err := r.next5(); err != nil {
				there.Close()
				return
			}
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := New(ctx, here, o)
	if err == nil {
		t.Cleanup(func() { c.Close(context.Background()) })
	}
	return c, err
}

// next5 is next for what a client sends.
func (r *reader) next5() (h packet.Header, body []byte, err error) {
	for {
		var state packet.State
		if h, state = packet.Scan(r.buf[r.from:r.to], 0); state == packet.Complete {
			body = r.buf[r.from+h.Head : r.from+h.Size()]
			r.from += h.Size()
			return h, body, nil
		}
		r.room()
		n, err := r.conn.Read(r.buf[r.to:])
		r.to += n
		if n == 0 && err != nil {
			return h, nil, err
		}
	}
}

func TestMQTT_4_12_TheServerMustPlayItsPart(t *testing.T) {
	t.Parallel()
	const more = packet.ContinueAuthentication
	ask := line{says: authOf(more, "ECHO", "x")}
	for what, row := range map[string]struct {
		script []line
		want   error
	}{
		"all is well":    {[]line{ask, {authOf(more, "ECHO", "x"), connack("ECHO", "last")}}, nil},
		"no proof":       {[]line{ask, {authOf(more, "ECHO", "x"), connack("ECHO", "lost")}}, errNoProof},
		"no method":      {[]line{ask, {authOf(more, "ECHO", "x"), new(packet.Connack)}}, errAuthMethod},
		"another method": {[]line{{says: authOf(more, "echo", "x")}}, errAuthMethod},
		"00 before":      {[]line{{says: authOf(packet.Success, "ECHO", "x")}}, errUnasked},
		"another packet": {[]line{{says: &packet.Ping{Type: packet.PINGRESP}}}, errUnasked},
	} {
		_, err := scripted(t, Options{Auth: echo{}}, row.script)
		if !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", what, err, row.want)
		}
	}
	if _, err := scripted(t, Options{}, []line{ask}); !errors.Is(err, errUnasked) { // [MQTT-4.12.0-6]
		t.Errorf("AUTH that nobody asked for: %v", err)
	}
	if _, err := scripted(t, Options{Auth: echo{}, Version: packet.V311}, nil); !errors.Is(err, errAuthVersion) {
		t.Errorf("3.1.1: %v", err)
	}
}

func TestMQTT_4_12_1_Reauthenticate(t *testing.T) {
	t.Parallel()
	const more, again = packet.ContinueAuthentication, packet.ReAuthenticate
	login := []line{{says: authOf(more, "ECHO", "x")}, {authOf(more, "ECHO", "x"), connack("ECHO", "last")}}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for what, row := range map[string]struct {
		script []line
		want   error
	}{
		"all is well":    {[]line{{authOf(again, "ECHO", "first"), authOf(more, "ECHO", "y")}, {authOf(more, "ECHO", "y"), authOf(packet.Success, "ECHO", "last")}}, nil},
		"no proof":       {[]line{{authOf(again, "ECHO", "first"), authOf(more, "ECHO", "y")}, {authOf(more, "ECHO", "y"), authOf(packet.Success, "ECHO", "")}}, errNoProof},
		"another method": {[]line{{authOf(again, "ECHO", "first"), authOf(more, "OTHER", "y")}}, errAuthMethod},
		"refused":        {[]line{{authOf(again, "ECHO", "first"), &packet.Disconnect{Code: packet.NotAuthorized}}}, &Refused{packet.DISCONNECT, packet.NotAuthorized, packet.NotAuthorized.String()}},
	} {
		c, err := scripted(t, Options{Auth: echo{}}, append(login[:2:2], row.script...))
		if err != nil {
			t.Fatal(err)
		}
		err = c.Reauthenticate(ctx)
		var refused *Refused
		if errors.As(row.want, &refused) {
			if !errors.As(err, &refused) || refused.Code != packet.NotAuthorized {
				t.Errorf("%s: %v", what, err)
			}
		} else if !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", what, err, row.want)
		}
		if row.want != nil {
			<-c.Done()
		}
	}
	c, err := scripted(t, Options{}, []line{{says: new(packet.Connack)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Reauthenticate(ctx); !errors.Is(err, errNoMethod) { // [MQTT-4.12.0-7]
		t.Errorf("without a method: %v", err)
	}
}
