package interop

import (
	"bufio"
	varint "encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
)

// verdict is what a proxy does with a packet.
type verdict int

const (
	pass    verdict = iota
	passCut         // forward it, then cut the connection
	cut             // cut the connection; it is never seen at the other end
)

// Packet types of MQTT.
const (
	typePublish = 3
	typePubAck  = 4
	typePubRec  = 5
	typePubRel  = 6
	typePubComp = 7
)

var typeNames = map[byte]string{typePublish: "PUBLISH", typePubAck: "PUBACK", typePubRec: "PUBREC", typePubRel: "PUBREL", typePubComp: "PUBCOMP"}

// A proxy stands between clients and a gateway, and cuts connections: all of them at once, or one at a packet.
type proxy struct {
	port string

	mu     sync.Mutex
	target string // a port; empty while there is no gateway, for which new connections wait
	led    *sync.Cond
	conns  map[net.Conn]bool
	closed bool
	see    func(toClient bool, p []byte) // nil: packets are not told apart
	judge  func(toClient bool, p []byte) verdict
	wg     sync.WaitGroup
}

// startProxy listens until the test is over.
func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: target, conns: map[net.Conn]bool{}}
	p.led = sync.NewCond(&p.mu)
	_, p.port, _ = net.SplitHostPort(ln.Addr().String())
	p.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		p.mu.Lock()
		p.closed = true
		p.led.Broadcast()
		p.mu.Unlock()
		p.cutAll()
		p.wg.Wait()
	})
	return p
}

// cutAll ends every connection.
func (p *proxy) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

// lead makes new connections go to another port.
func (p *proxy) lead(port string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = port
	p.led.Broadcast()
}

// leaderless tells that the gateway is dead: what still goes to it is lost.
func (p *proxy) leaderless() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.target == ""
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	p.mu.Lock()
	for p.target == "" && !p.closed {
		p.led.Wait()
	}
	target := p.target
	p.mu.Unlock()
	gateway, err := net.Dial("tcp", "127.0.0.1:"+target)
	if err != nil {
		return // it is being restarted
	}
	defer gateway.Close()
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.conns[client], p.conns[gateway] = true, true
	watched := p.see != nil
	p.mu.Unlock()
	var both sync.WaitGroup
	link := &severed{}
	for _, way := range []struct {
		to, from net.Conn
		toClient bool
	}{{gateway, client, false}, {client, gateway, true}} {
		both.Go(func() {
			defer client.Close()
			defer gateway.Close()
			if watched {
				p.packets(link, way.to, way.from, way.toClient)
				return
			}
			_, _ = io.Copy(way.to, way.from) // until either end has gone
		})
	}
	both.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, client)
	delete(p.conns, gateway)
}

// severed is one connection, whose two directions are cut in the same instant.
type severed struct {
	mu   sync.Mutex
	done bool
}

// packets forwards packet by packet.
func (p *proxy) packets(link *severed, to io.Writer, from io.Reader, toClient bool) {
	in := bufio.NewReader(from)
	for {
		packet, err := readPacket(in)
		if err != nil || !p.packet(link, to, packet, toClient) {
			return
		}
	}
}

// packet forwards one packet; false when nothing follows.
func (p *proxy) packet(link *severed, to io.Writer, packet []byte, toClient bool) bool {
	link.mu.Lock()
	defer link.mu.Unlock()
	if link.done {
		return false
	}
	p.mu.Lock()
	see, judge := p.see, p.judge
	p.mu.Unlock()
	v := pass
	if judge != nil {
		v = judge(toClient, packet)
	}
	link.done = v != pass
	if v == cut || !toClient && p.leaderless() {
		return false
	}
	see(toClient, packet)
	_, err := to.Write(packet)
	return err == nil && v == pass
}

// readPacket reads one packet as it is on the wire.
func readPacket(in *bufio.Reader) ([]byte, error) {
	first, err := in.ReadByte()
	if err != nil {
		return nil, err
	}
	n, err := varint.ReadUvarint(in)
	if err != nil || n > 1<<28-1 {
		return nil, fmt.Errorf("remaining length %d, %w", n, err)
	}
	packet := varint.AppendUvarint([]byte{first}, n)
	head := len(packet)
	packet = append(packet, make([]byte, n)...)
	_, err = io.ReadFull(in, packet[head:])
	return packet, err
}

// step is a point of the QoS 2 handshake, at which something is cut off.
type step struct {
	toClient bool
	kind     byte
	seen     bool // the packet still reaches the other end
}

func (s step) String() string {
	end := "before"
	if s.seen {
		end = "after"
	}
	return end + " " + typeNames[s.kind]
}

// handshake are all steps of a QoS 2 exchange in one direction.
func handshake(toClient bool) (all []step) {
	for _, kind := range []byte{typePublish, typePubRec, typePubRel, typePubComp} {
		forth := kind == typePublish || kind == typePubRel
		for _, seen := range []bool{false, true} {
			all = append(all, step{toClient == forth, kind, seen})
		}
	}
	return all
}

// book enters the packets of one direction into a ledger, from the first connection on.
func (p *proxy) book(l *ledger, toClient bool) {
	p.watch(func(to bool, packet []byte) {
		if to == toClient {
			l.see(packet)
		}
	})
}

// watch shows every packet that is forwarded.
func (p *proxy) watch(see func(toClient bool, packet []byte)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.see = see
}

// at makes the proxy act once, at the next packet of a step: act runs while the packet waits. The channel is closed
// when that was.
func (p *proxy) at(s step, act func() verdict) <-chan struct{} {
	done := make(chan struct{})
	var once sync.Once
	p.mu.Lock()
	defer p.mu.Unlock()
	p.judge = func(toClient bool, packet []byte) (v verdict) {
		if toClient == s.toClient && packet[0]>>4 == s.kind {
			once.Do(func() {
				v = act()
				close(done)
			})
		}
		return v
	}
	return done
}
