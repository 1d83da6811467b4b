package standard_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/coap"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn"
)

// crowd is two datagram listeners and their peers, each at an address of its own in 127.0.0.0/8, of which none is trusted.
type crowd struct {
	*testing.T
	at map[string]netip.AddrPort // by the protocol
}

func newCrowd(t *testing.T, proof string) *crowd {
	t.Helper()
	router, err := core.New(core.Options{Store: adaptertest.NewStore()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(router.Close)
	host := &adapters.Host{Router: router, Log: slog.New(slog.DiscardHandler), Metrics: adapters.NewMetrics(), Limits: adapters.Limits{Trusted: []netip.Prefix{}}}
	sn, err := mqttsn.New(host, mqttsn.Config{AddressProof: proof})
	if err != nil {
		t.Fatal(err)
	}
	co, err := coap.New(host, coap.Config{AddressProof: proof})
	if err != nil {
		t.Fatal(err)
	}
	s, err := listen.New(listen.Options{Host: host, Quiet: true, Rooms: map[string]adapters.Room{"mqttsn": sn, "coap": co},
		Listeners: []listen.Listener{{URL: "mqttsn://127.0.0.1:0"}, {URL: "coap://127.0.0.1:0"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Bind(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	c := &crowd{T: t, at: map[string]netip.AddrPort{}}
	for _, a := range s.Addrs() {
		c.at[a.Protocol] = netip.MustParseAddrPort(a.Addr.String())
	}
	return c
}

// say sends datagrams from the i-th address, each when the one before is answered, and returns the last answer.
func (c *crowd) say(protocol string, i int, say ...string) string {
	c.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		c.Fatal(err)
	}
	defer unix.Close(fd)
	patience := unix.NsecToTimeval(int64(10 * time.Second))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &patience); err != nil {
		c.Fatal(err)
	}
	at := [4]byte{127}
	binary.BigEndian.PutUint16(at[2:], uint16(i))
	at[1] = byte(1 + i>>16)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: at}); err != nil {
		c.Fatal(err)
	}
	to := c.at[protocol]
	var b [1500]byte
	n := 0
	for _, s := range say {
		if err := unix.Sendto(fd, []byte(s), 0, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}); err != nil {
			c.Fatal(err)
		}
		for {
			if n, _, err = unix.Recvfrom(fd, b[:], 0); err != unix.EINTR { // of the runtime's own signals
				break
			}
		}
		if err != nil {
			c.Fatalf("%s: %q of peer %d is not answered: %v", protocol, s, i, err)
		}
	}
	return string(b[:n])
}

// holds is what each of 20,000 peers holds that said the same; %d in it is the peer's number, of five digits.
func (c *crowd) holds(protocol, answer string, say ...string) int64 {
	c.Helper()
	const first, peers = 2000, 20_000
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	var before int64
	for i := range first + peers {
		if i == first {
			before = heap()
		}
		own := make([]string, len(say))
		for k, s := range say {
			own[k] = strings.ReplaceAll(s, "%d", fmt.Sprintf("%05d", i))
		}
		if got := c.say(protocol, i, own...); !strings.HasPrefix(got, answer) {
			c.Fatalf("peer %d was told %q, want %q", i, got, answer)
		}
	}
	return (heap() - before) / peers
}

// Of MQTT-SN and CoAP; the length of each counts the five digits of %d.
const (
	connect     = "\x0d\x04\x04\x01\x00\x3cc-%d"       // CleanSession, 60 s
	connectKeep = "\x0d\x04\x00\x01\x00\x3cc-%d"       // the session stays
	connectWill = "\x0d\x04\x0c\x01\x00\x3cc-%d"       // a will follows
	doze        = "\x04\x18\x0e\x10"                   // DISCONNECT for an hour
	subscribe   = "\x10\x12\x20\x00\x01plant/%d"       // QoS 1
	get         = "\x41\x01\x4b\x35t\xb2ps\x05%d"      // Confirmable, of a topic without a value
	post        = "\x41\x02\x4b\x35t\xb2ps\x05%d\xffx" // Confirmable
	observe     = "\x41\x01\x4b\x35t\x60\x52ps\x05%d"  // Confirmable
)

// TestSECURITY_K5_APeerThatProvedNothingHoldsAtMost600Bytes: so much is left of 20,000 sources with a datagram each.
func TestSECURITY_K5_APeerThatProvedNothingHoldsAtMost600Bytes(t *testing.T) {
	for _, x := range []struct{ protocol, name, say, answer string }{
		{"mqttsn", "connect", connect, "\x03\x05\x00"},
		{"mqttsn", "connect to a session that stays", connectKeep, "\x03\x05\x00"},
		{"mqttsn", "connect with a will", connectWill, "\x02\x06"},
		{"coap", "get", get, "\x61\x84"},
		{"coap", "post", post, "\x61\x44"},
		{"coap", "observe", observe, "\x61\x81"},
	} {
		t.Run(x.protocol+"/"+x.name, func(t *testing.T) {
			n := newCrowd(t, "on").holds(x.protocol, x.answer, x.say)
			t.Logf("%d bytes a peer", n)
			if n > 600 {
				t.Errorf("%d bytes a peer", n)
			}
		})
	}
}

// TestMemoryOfAPeerThatIsConnected: the whole of it, session and queue included, must not grow. The goal is 1 KiB, which a
// session of the core with a queue does not leave enough of.
func TestMemoryOfAPeerThatIsConnected(t *testing.T) {
	for _, x := range []struct {
		protocol, name, answer string
		say                    []string
		most                   int64
	}{
		{"mqttsn", "connected", "\x03\x05\x00", []string{connect}, 800},
		{"mqttsn", "asleep", "\x02\x18", []string{connect, doze}, 800},
		{"mqttsn", "that has just subscribed", "\x08\x13", []string{connect, subscribe}, 1650},
		{"mqttsn", "asleep with a subscription", "\x02\x18", []string{connect, subscribe, doze}, 1450},
		{"coap", "that asked", "\x61\x84", []string{get}, 600},
		{"coap", "with an observation", "\x61\x45", []string{observe}, 3200},
	} {
		t.Run(x.protocol+"/"+x.name, func(t *testing.T) {
			n := newCrowd(t, "off").holds(x.protocol, x.answer, x.say...)
			t.Logf("%d bytes a peer", n)
			if n > x.most {
				t.Errorf("%d bytes a peer", n)
			}
		})
	}
}
