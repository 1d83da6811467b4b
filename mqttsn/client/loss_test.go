package client_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/entrepot/entrepot/mqttsn"
	"github.com/entrepot/entrepot/mqttsn/client"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// lossy loses every third datagram, in both directions, and doubles every
// fifth that it sends while double is set.
type lossy struct {
	net.Conn
	n      *atomic.Int64
	double *atomic.Bool
}

func (l lossy) Write(b []byte) (int, error) {
	n := l.n.Add(1)
	if n%3 == 0 {
		return len(b), nil
	}
	if n%5 == 0 && l.double.Load() {
		if _, err := l.Conn.Write(b); err != nil {
			return 0, err
		}
	}
	return l.Conn.Write(b)
}

func (l lossy) Read(b []byte) (int, error) {
	for {
		n, err := l.Conn.Read(b)
		if err != nil || l.n.Add(1)%3 != 0 {
			return n, err
		}
	}
}

func TestLostAndDoubledDatagramsLoseAndDoubleNoMessage(t *testing.T) {
	t.Parallel()
	addr, in := gateway(t, mqttsn.Config{}), newInbox()
	ctx := t.Context()
	var known sync.Map
	sub := dial(t, addr, "sub", client.Options{OnMessage: func(m client.Message) {
		if _, again := known.LoadOrStore(string(m.Payload), true); again && m.QoS == 1 {
			return // QoS 1 may come twice where an acknowledgement was late
		}
		in.put(m)
	}})
	_, err := sub.Subscribe(ctx, client.Name("#"), 2)
	must(t, err)
	n, double := new(atomic.Int64), new(atomic.Bool)
	double.Store(true)
	pub := dial(t, addr, "pub", client.Options{
		RetryInterval: 30 * time.Millisecond, MaxRetries: 50,
		Will: &client.Will{Topic: "w", Payload: []byte("bye")},
		Dial: func(_ context.Context, network, addr string) (net.Conn, error) {
			c, err := net.Dial(network, addr)
			return lossy{c, n, double}, err
		},
	})
	var want []string
	for i := range 20 {
		qos := packet.QoS(1 + i%2)
		must(t, pub.Publish(ctx, client.Name(fmt.Sprintf("a/%d", i%4)), qos, false, fmt.Append(nil, i)))
		want = append(want, fmt.Sprintf("a/%d=%d q%d", i%4, i, qos))
	}
	double.Store(false)
	must(t, pub.Sleep(ctx, time.Hour))
	must(t, pub.Wake(ctx))
	must(t, pub.Connect(ctx))
	must(t, pub.Disconnect(ctx))
	in.want(t, want...)
}
