package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/entrepot/entrepot/mqtt/packet"
)

// script is a connection whose other end says what it was told to, in pieces,
// and then ends. What the client writes is kept.
type script struct {
	cuts  []byte
	gate  chan struct{} // closed when what follows the first part may be read
	first []byte

	mu    sync.Mutex
	rest  []byte // Guarded by mu.
	wrote []byte // Guarded by mu.
	reads int    // Guarded by mu.
	ended bool   // Guarded by mu.
}

var errEnded = errors.New("the test closed it")

func (s *script) Read(b []byte) (int, error) {
	if n := copy(b, s.first); n > 0 {
		s.first = s.first[n:]
		return n, nil
	}
	<-s.gate
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return 0, errEnded
	case len(s.rest) == 0:
		return 0, io.EOF
	}
	n := len(s.rest)
	if len(s.cuts) > 0 {
		n = 1 + int(s.cuts[s.reads%len(s.cuts)])
	}
	s.reads++
	n = copy(b[:min(n, len(b))], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *script) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrote = append(s.wrote, b...)
	return len(b), nil
}

func (s *script) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	return nil
}

func (s *script) LocalAddr() net.Addr              { return nil }
func (s *script) RemoteAddr() net.Addr             { return nil }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// golden are the packets of a server in the wire package's golden file.
func golden(f *testing.F) (all map[packet.Version][]byte) {
	f.Helper()
	text, err := os.ReadFile("../packet/testdata/golden.txt")
	if err != nil {
		f.Fatal(err)
	}
	all = map[packet.Version][]byte{}
	for block := range strings.SplitSeq(string(text), "\n\n") {
		_, from, ours := strings.Cut(block, "\nfrom: server ")
		_, digits, _ := strings.Cut(block, "\nhex: ")
		digits, _, _ = strings.Cut(digits, "\n")
		if !ours {
			continue
		}
		var b []byte
		if _, err := fmt.Sscanf(strings.ReplaceAll(digits, " ", ""), "%x", &b); err != nil {
			f.Fatal(err)
		}
		v := packet.Version(from[0] - '0')
		all[v] = append(all[v], b...)
		f.Add(byte(v), b, []byte{0})
	}
	if len(all) < 2 {
		f.Fatal("no golden packets of a server")
	}
	return all
}

// FuzzClient lets a hostile server answer a client that has publishes and
// requests under way: no panic, everything that waits ends, once, and where
// the stream is cut changes nothing (MW7, R10).
func FuzzClient(f *testing.F) {
	for v, all := range golden(f) {
		f.Add(byte(v), all, []byte{1, 2, 3})
		f.Add(byte(v)|8, all, []byte{4})
		var b []byte
		for _, p := range []packet.Packet{
			&packet.Ack{Type: packet.PUBACK, ID: 1}, &packet.Ack{Type: packet.PUBREC, ID: 2}, &packet.Ack{Type: packet.PUBCOMP, ID: 2},
			&packet.Suback{ID: 3, Codes: []byte{1}}, &packet.Unsuback{ID: 4, Codes: []byte{0}}, &packet.Publish{Topic: []byte("a"), QoS: 2, ID: 7},
			&packet.Publish{Topic: []byte("a"), QoS: 2, ID: 7, Dup: true}, &packet.Ack{Type: packet.PUBREL, ID: 7}, &packet.Ping{Type: packet.PINGRESP},
			&packet.Ack{Type: packet.PUBACK, ID: 2},
		} {
			b = p.AppendTo(b, v)
		}
		f.Add(byte(v), b, []byte{0, 5})
	}
	alias := &packet.Publish{Topic: []byte("a")}
	alias.Properties.SetNum(packet.TopicAlias, maxAlias+1)
	f.Add(byte(5), alias.AppendTo(nil, packet.V5), []byte{0})
	f.Fuzz(func(t *testing.T, how byte, in, cuts []byte) {
		whole, split := hostile(t, how, in, nil), hostile(t, how, in, cuts)
		if !slices.Equal(whole, split) {
			t.Fatalf("whole: %q\nsplit: %q", whole, split)
		}
	})
}

// hostile runs a client against a server that says in, and lists what the
// client's user sees.
func hostile(t *testing.T, how byte, in, cuts []byte) (seen []string) {
	v := packet.Version(3 + how%8%3)
	s := &script{cuts: cuts, gate: make(chan struct{}), rest: bytes.Clone(in)}
	if how&8 == 0 { // else the CONNACK is the fuzzer's too
		s.first = (&packet.Connack{}).AppendTo(nil, v)
	} else {
		close(s.gate)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := New(ctx, s, Options{Version: v, ClientID: "c", OnMessage: func(m Message) {
		seen = append(seen, fmt.Sprintf("message %+v", m))
	}})
	if err != nil {
		return []string{err.Error()}
	}
	var mu sync.Mutex
	ends := map[string]string{}
	end := func(what string, err error) {
		mu.Lock()
		defer mu.Unlock()
		if was, twice := ends[what]; twice {
			t.Errorf("%s ended with %v after %s", what, err, was)
		}
		ends[what] = fmt.Sprint(err)
	}
	if how&8 == 0 {
		c.Publish(ctx, Message{Topic: "p", QoS: 1}, func(err error) { end("publish 1", err) })
		c.Publish(ctx, Message{Topic: "p", QoS: 2}, func(err error) { end("publish 2", err) })
		var work sync.WaitGroup
		defer work.Wait()
		waiting := func(n int) {
			for {
				c.mu.Lock()
				have := len(c.requests)
				c.mu.Unlock()
				if have == n || ctx.Err() != nil {
					return
				}
				runtime.Gosched()
			}
		}
		work.Go(func() { _, err := c.Subscribe(ctx, Subscription{Filter: "f", QoS: 1}); end("subscribe", err) })
		waiting(1)
		work.Go(func() { end("unsubscribe", c.Unsubscribe(ctx, "f")) })
		waiting(2)
		close(s.gate)
		<-c.Done()
		work.Wait()
	}
	<-c.Done()
	if err := c.Close(ctx); err != nil {
		t.Fatal("the client does not end")
	}
	for _, what := range []string{"publish 1", "publish 2", "subscribe", "unsubscribe"} {
		if how&8 == 0 && ends[what] == "" {
			t.Errorf("%s has no end", what)
		}
		seen = append(seen, what+" "+ends[what])
	}
	wrote(t, v, s)
	return append(seen, fmt.Sprint(c.Err()))
}

// wrote checks that the client's own packets are what a client may send.
func wrote(t *testing.T, v packet.Version, s *script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for b := s.wrote; len(b) > 0; {
		h, state := packet.Scan(b, 0)
		if state != packet.Complete {
			t.Fatalf("the client sent % x, which is not whole packets", b)
		}
		err := h.Check(v, packet.Client)
		if err == nil {
			err = packet.New(h.Type).Parse(nil, v, h.Flags, b[h.Head:h.Size()])
		}
		if err != nil {
			t.Fatalf("the client sent % x: %v", b[:h.Size()], err)
		}
		b = b[h.Size():]
	}
}
