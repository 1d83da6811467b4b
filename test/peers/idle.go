package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sys/unix"

	"github.com/entrepot/entrepot/test/peers/load"
)

func idle() []workload {
	w := []workload{{name: "idle", once: true, about: "idle MQTT connections on plain TCP, as many as RLIMIT_NOFILE allows; memory between the first 500 and the last, CPU of connecting (TCP, CONNECT, CONNACK)",
		peers: withRelay, measure: idlePlain,
		rows: []*row{{key: "bytes", title: "idle connection, plain TCP", unit: "bytes", goals: []goal{atMost(700, "")}},
			{key: "connect", title: "connect", unit: "µs", goals: []goal{atMost(.9, mosquitto)}}}}}
	for _, x := range []struct {
		protocol, title string
		limit           float64
		peers           []string
	}{
		{"ws", "WebSocket", 16 << 10, []string{entrepot}},
		{"mqtts", "TLS", 16 << 10, []string{entrepot, mosquitto}},
		{"wss", "WebSocket over TLS", 32 << 10, []string{entrepot}},
		{"mqttsn", "MQTT-SN peer", 1 << 10, []string{entrepot}},
		{"coap", "CoAP peer", 1 << 10, []string{entrepot}},
	} {
		crowded := []string{"limits.udp.peers_per_address=10000", "mqttsn.max_clients_per_source=10000"} // all are at one address
		w = append(w, workload{name: "idle-" + x.protocol, once: true, about: "the same with 4,000 of " + x.title + "; peers of datagrams have sent one packet each", peers: x.peers, serving: serving{protocols: []string{x.protocol}, set: crowded},
			rows:    []*row{{key: "bytes", title: "idle, " + x.title, unit: "bytes", goals: []goal{atMost(x.limit, "")}}},
			measure: idleOther(x.protocol)})
	}
	return w
}

// connections is how many descriptors the limit leaves for connections.
func connections() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return 900
	}
	const spare, most = 600, 25000 // local ports end at some 28,000
	return int(min(r.Max-spare, most))
}

func idlePlain(_ *bench, s *server, e *load.Engine) (*result, error) {
	const first = 500
	if _, err := connect(s, e, "first", first); err != nil {
		return nil, err
	}
	before, err := s.settled(e)
	if err != nil {
		return nil, err
	}
	n := connections() - first
	from := take(s, e)
	if _, err := connect(s, e, "idle", n); err != nil {
		return nil, err
	}
	if err := e.Idle(200 * time.Millisecond); err != nil {
		return nil, err
	}
	to := take(s, e)
	after, err := s.settled(e)
	if err != nil {
		return nil, err
	}
	return &result{values: map[string]float64{"bytes": (after - before) / float64(n), "connect": float64(to.broker-from.broker) / 1e3 / float64(n)},
		own: float64(to.own-from.own) / 1e3 / float64(n), notes: []string{fmt.Sprintf("%d connections were reached", n+first)}}, nil
}

func idleOther(protocol string) func(*bench, *server, *load.Engine) (*result, error) {
	return func(_ *bench, s *server, e *load.Engine) (*result, error) {
		const first, n = 500, 4000
		var open []io.Closer
		defer func() {
			for _, c := range open {
				c.Close()
			}
		}()
		fill := func(from, to int) error {
			for i := from; i < to; i++ {
				c, err := dialOther(protocol, s.address[protocol], fmt.Sprintf("idle-%d", i))
				if err != nil {
					return fmt.Errorf("connection %d: %w", i, err)
				}
				open = append(open, c)
			}
			return nil
		}
		if err := fill(0, first); err != nil {
			return nil, err
		}
		before, err := s.settled(e)
		if err != nil {
			return nil, err
		}
		if err := fill(first, first+n); err != nil {
			return nil, err
		}
		after, err := s.settled(e)
		if err != nil {
			return nil, err
		}
		return &result{values: map[string]float64{"bytes": (after - before) / n}}, nil
	}
}

// unverified takes the certificate that this program has just made.
var unverified = &tls.Config{InsecureSkipVerify: true, ClientSessionCache: nil}

// dialOther opens one connection and waits for the answer to its first packet.
func dialOther(protocol, address, id string) (io.Closer, error) {
	switch protocol {
	case "mqtts":
		c, err := tls.Dial("tcp", address, unverified)
		if err != nil {
			return nil, err
		}
		return c, ask(c, load.Connect(id, true))
	case "ws", "wss":
		return dialWebSocket(protocol, address, id)
	case "mqttsn": // CONNECT with CleanSession, protocol 1
		c, err := net.Dial("udp", address)
		if err != nil {
			return nil, err
		}
		return c, ask(c, append([]byte{byte(6 + len(id)), 0x04, 0x04, 0x01, 0xff, 0xff}, id...))
	case "coap": // confirmable GET of /.well-known/core
		c, err := net.Dial("udp", address)
		if err != nil {
			return nil, err
		}
		return c, ask(c, append([]byte{0x40, 0x01, 0x12, 0x34, 0xbb}, ".well-known\x04core"...))
	}
	return nil, fmt.Errorf("protocol %q", protocol)
}

func ask(c net.Conn, packet []byte) error {
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := c.Write(packet); err != nil {
		return err
	}
	var b [1500]byte
	_, err := c.Read(b[:])
	return err
}

func dialWebSocket(scheme, address, id string) (io.Closer, error) {
	d := websocket.Dialer{Subprotocols: []string{"mqtt"}, TLSClientConfig: unverified, ReadBufferSize: 256, WriteBufferSize: 256}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, _, err := d.DialContext(ctx, scheme+"://"+address+"/mqtt", nil)
	if err != nil {
		return nil, err
	}
	if err := c.WriteMessage(websocket.BinaryMessage, load.Connect(id, true)); err != nil {
		return nil, err
	}
	_, _, err = c.ReadMessage()
	return c, err
}
