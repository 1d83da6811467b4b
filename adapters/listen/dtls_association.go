package listen

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

const (
	maxPlain     = 8 << 10          // largest decrypted datagram: what the engine reads at once
	quietTime    = 10 * time.Second // an association whose first datagram does not come goes
	idleTime     = time.Hour        // one that is silent for so long goes, if the room has nothing of it
	replacedTime = 10 * time.Second // one whose address has shaken hands anew goes
	repeatTime   = time.Minute      // a client may repeat its last flight for so long
	repeats      = 16               // and so often
	pendingBytes = 256 << 10        // decrypted answers that wait to be encrypted
)

// association is one handshake and what follows. A goroutine shakes hands and
// reads; the engine has some of its own; another one lives while something
// waits to be written.
type association struct {
	*adapters.Association // what rooms know, and may keep for longer; immutable once it is established

	// Immutable.
	d      *dtlsServer
	wire   *wire
	conn   *dtls.Conn
	random [32]byte // of the ClientHello
	cookie [cookieSize]byte
	shift  uint64 // of the sequence numbers of plain records

	at  netip.AddrPort // Guarded by d.mu.
	cid cid            // Immutable once hasCID is set.

	via         atomic.Value // netip.Addr: ours, that the peer knows
	hasCID      atomic.Bool
	established atomic.Bool
	heard       atomic.Int64 // core.Time of the last datagram
	since       atomic.Int64 // core.Time of the end of the handshake
	lastSeq     atomic.Int32 // of the client's plain handshake messages
	allowance   atomic.Int64 // bytes that the handshake may still bring
	repeated    atomic.Int64 // datagrams of the handshake that came after its end
	exhausted   atomic.Bool
	verified    bool // the engine's own cookie exchange is over; owned by the engine's writer

	mu      sync.Mutex // guards what follows
	pend    [][]byte
	bytes   int
	writing bool
	leaving bool // no more answers; the reader ends when the last are written
	doomed  bool // its address has shaken hands anew

	finishing bool       // the client's Finished is with the engine
	early     []wireGram // came behind it, and wait for the end of the handshake
	open      bool       // that has come
}

func newAssociation(d *dtlsServer, from netip.AddrPort, via netip.Addr, h *hello) *association {
	a := &association{Association: &adapters.Association{Remote: from}, d: d, at: from, random: h.random, cookie: [cookieSize]byte(h.cookie), shift: h.seq - min(h.seq, 1)}
	a.via.Store(via)
	a.lastSeq.Store(-1)
	a.allowance.Store(int64(max(d.l.limits().PreauthBytes, handshakeBytes)))
	a.heard.Store(int64(d.l.server.clock.Now()))
	a.wire = newWire(a)
	return a
}

// engage makes the engine.
func (a *association) engage() error {
	o, err := a.options()
	if err != nil {
		return err
	}
	a.conn, err = dtls.ServerWithOptions(a.wire, peerAddr(a.Remote), o...)
	return err
}

// newCID is called by the engine when the client knows connection identifiers.
func (a *association) newCID() []byte {
	a.d.mu.Lock()
	defer a.d.mu.Unlock()
	for ok := true; ok; {
		rand.Read(a.cid[:])
		_, ok = a.d.byCID[a.cid]
	}
	a.d.byCID[a.cid] = a
	a.hasCID.Store(true)
	return bytes.Clone(a.cid[:])
}

// wants tells whether a datagram may reach the engine. What is not encrypted
// may come from anybody: it is bounded during the handshake, and afterwards
// only repeats what the client has said.
func (a *association) wants(s shape, n int) bool {
	if !a.established.Load() {
		if a.allowance.Add(-int64(n)) < 0 {
			a.exhausted.Store(true)
			a.wire.Close()
			return false
		}
		a.lastSeq.Store(max(a.lastSeq.Load(), int32(s.lastSeq)))
		return true
	}
	if !s.plain {
		return true
	}
	now := a.d.l.server.clock.Now()
	return !s.alert && int32(s.lastSeq) <= a.lastSeq.Load() && now < core.Time(a.since.Load()).After(repeatTime) && a.repeated.Add(1) <= repeats
}

// take gives a datagram to the engine; false: there is no room. What comes
// behind the client's Finished waits until the engine is done with that, since
// it keeps one datagram until then and forgets the others. The allowance of the
// handshake bounds what waits.
func (a *association) take(s shape, b []byte, from netip.AddrPort) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.finishing && !a.open && !s.plain {
		if len(a.early) >= wireQueue {
			return false
		}
		a.early = append(a.early, wireGram{bytes.Clone(b), from})
		return true
	}
	ok := a.wire.push(b, from)
	a.finishing = a.finishing || ok && s.finished
	return ok
}

// opened gives the engine what has waited for the end of the handshake.
func (a *association) opened() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, g := range a.early {
		if !a.wire.push(g.b, g.from) {
			a.d.l.counts.dropped("busy")
		}
	}
	a.early, a.open = nil, true
}

// transmit sends a datagram of the engine. Its HelloVerifyRequest is not sent:
// the client has answered ours.
func (a *association) transmit(b []byte, to netip.AddrPort) {
	if !a.verified {
		a.verified = true
		if len(b) > recordHeader && b[0] == typeHandshake && b[recordHeader] == helloVerify {
			if setCookie(a.conn, a.cookie[:]) != nil {
				a.wire.Close()
			}
			return
		}
	}
	via, _ := a.via.Load().(netip.Addr)
	a.d.sendTo(a.shifted(b), to, via)
}

// shifted lets the sequence numbers of plain records follow those of the
// HelloVerifyRequests, which the engine does not know of (RFC 6347, 4.2.1).
func (a *association) shifted(b []byte) []byte {
	if a.shift == 0 || binary.BigEndian.Uint16(b[3:]) != 0 {
		return b
	}
	b = bytes.Clone(b)
	for r := b; len(r) >= recordHeader && binary.BigEndian.Uint16(r[3:]) == 0; {
		binary.BigEndian.PutUint64(r[3:], (binary.BigEndian.Uint64(r[3:])+a.shift)&(1<<48-1))
		r = r[min(len(r), recordHeader+int(binary.BigEndian.Uint16(r[11:]))):]
	}
	return b
}

// run shakes hands, then reads until the end.
func (a *association) run() {
	defer a.d.ending.Done()
	limits := a.d.l.limits()
	ctx, cancel := context.WithTimeout(a.d.ctx, 2*limits.PreauthDeadline) // L1
	err := a.conn.HandshakeContext(ctx)
	late := ctx.Err() == context.DeadlineExceeded
	cancel()
	a.d.l.unadmit(a.Remote.Addr())
	if err == nil {
		err = a.identify()
	}
	if err != nil {
		a.failed(err, late)
	} else if a.established.Store(true); a.d.established(a) {
		a.d.l.counts.handshake("ok")
		a.d.l.counts.associated(1)
		a.opened()
		a.read()
		a.d.l.counts.associated(-1)
	}
	a.leave()
	a.conn.Close() //nolint:errcheck // close_notify may be lost
	a.wire.Close() //nolint:errcheck // never fails
	a.d.forget(a)
	if a.established.Load() {
		a.d.post(secureEvent{a: a, ended: true})
	}
}

// identify notes what the client has proven.
func (a *association) identify() error {
	state, ok := a.conn.ConnectionState()
	if !ok {
		return errors.New("no state")
	}
	a.PSKIdentity = string(state.IdentityHint)
	if len(state.PeerCertificates) > 0 { // verified, since it was asked for
		c, err := x509.ParseCertificate(state.PeerCertificates[0])
		if err != nil {
			return err
		}
		a.Certificate = adapters.NewCertificate(c)
	}
	a.since.Store(int64(a.d.l.server.clock.Now()))
	return nil
}

// failed logs a handshake that came to nothing.
func (a *association) failed(err error, late bool) {
	why := "tls"
	switch {
	case a.exhausted.Load():
		why, err = "bytes", nil
	case late:
		why, err = "deadline", nil
	case a.d.ctx.Err() != nil:
		return
	}
	a.d.l.counts.handshake(why)
	a.d.l.preauthClosed(a.Remote, why, err)
}

// read takes decrypted datagrams until the association ends.
func (a *association) read() {
	buf := make([]byte, maxPlain)
	at, wait := a.Remote, quietTime
	for {
		a.wait(wait)
		n, err := a.conn.Read(buf)
		switch {
		case err == nil:
		case errors.Is(err, context.DeadlineExceeded):
			if a.ending() {
				return
			}
			a.d.post(secureEvent{a: a, idle: true})
			continue
		case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, dtls.ErrConnClosed):
			return
		default: // of one datagram
			continue
		}
		wait = idleTime
		a.heard.Store(int64(a.d.l.server.clock.Now()))
		if now, ok := a.conn.RemoteAddr().(peerAddr); ok && netip.AddrPort(now) != at {
			at = netip.AddrPort(now)
			a.d.moved(a, at)
		}
		a.d.post(secureEvent{a: a, b: bytes.Clone(buf[:n])})
	}
}

// wait bounds the next read, unless the association is about to end.
func (a *association) wait(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.leaving && !a.doomed {
		a.conn.SetReadDeadline(time.Now().Add(d)) //nolint:errcheck // never fails
	}
}

func (a *association) ending() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.leaving || a.doomed
}

// supersede ends an association whose address belongs to another one now. It
// lives on for a moment, so that its session can be taken over.
func (a *association) supersede() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.doomed = true
	a.conn.SetReadDeadline(time.Now().Add(replacedTime)) //nolint:errcheck // never fails
}

// send queues an answer; the loop does not encrypt.
func (a *association) send(b []byte) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.leaving || a.bytes+len(b) > pendingBytes {
		return false
	}
	a.pend = append(a.pend, bytes.Clone(b))
	a.bytes += len(b)
	if !a.writing {
		a.writing = true
		a.d.ending.Add(1)
		a.d.l.server.wg.Go(a.drain)
	}
	return true
}

// drain is the writer: it ends when nothing is left.
func (a *association) drain() {
	defer a.d.ending.Done()
	for {
		a.mu.Lock()
		batch := a.pend
		a.pend, a.bytes = nil, 0
		if len(batch) == 0 {
			a.writing = false
			leaving := a.leaving
			a.mu.Unlock()
			if leaving {
				a.hangUp()
			}
			return
		}
		a.mu.Unlock()
		for _, b := range batch {
			if _, err := a.conn.Write(b); err != nil {
				a.d.l.counts.dropped("unsent")
			}
		}
	}
}

// finish ends the association once all is written.
func (a *association) finish() {
	a.mu.Lock()
	a.leaving = true
	writing := a.writing
	a.mu.Unlock()
	if !writing {
		a.hangUp()
	}
}

// hangUp lets the reader go, which says goodbye.
func (a *association) hangUp() {
	a.conn.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // never fails
}

// leave takes no more answers.
func (a *association) leave() {
	a.mu.Lock()
	a.leaving = true
	a.mu.Unlock()
}
