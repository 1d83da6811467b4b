package tlsconf

import (
	"crypto/tls"
	"errors"
	"os"
	"sync"
	"time"
)

// every is how often a handshake looks whether a file has changed.
const every = 10 * time.Second

// Live is the TLS of one listener. Its files are read again when they change; what cannot be used is refused, and the
// last good files stay.
type Live struct {
	// Immutable.
	files    Server
	alpn     []string
	now      func() time.Time
	reloaded func(error)

	mu      sync.Mutex
	config  *tls.Config // Guarded by mu.
	expiry  time.Time   // Guarded by mu.
	looked  time.Time   // Guarded by mu.
	stamped [4]stamp    // Guarded by mu.
	refused string      // Guarded by mu; why the files of now are not used, which is tried again: it may pass.
}

// stamp is how a change of a file shows.
type stamp struct {
	size int64
	at   time.Time
}

// Open reads the files. Clients that offer protocols by ALPN must offer one of alpn, unless it is empty (RFC 7301).
// reloaded is told when changed files were taken (nil) or refused.
func Open(s Server, alpn []string, reloaded func(error)) (*Live, error) {
	return open(s, alpn, reloaded, time.Now)
}

func open(s Server, alpn []string, reloaded func(error), now func() time.Time) (*Live, error) {
	l := &Live{files: s, alpn: alpn, reloaded: reloaded, now: now, looked: now(), stamped: s.stamps()}
	if err := l.load(); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Live) load() error {
	m, problems := l.files.load(l.now())
	if text, bad := failed(problems); bad {
		return errors.New(text)
	}
	l.config, l.expiry = m.config(l.alpn, l.now), m.pair.Leaf.NotAfter
	return nil
}

func (s Server) stamps() (list [4]stamp) {
	for i, file := range [...]string{s.Cert, s.Key, s.ClientCA, s.CRL} {
		if info, err := os.Stat(file); err == nil {
			list[i] = stamp{info.Size(), info.ModTime()}
		}
	}
	return list
}

// current is the configuration of the files as they are, looked at every ten seconds.
func (l *Live) current() *tls.Config {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if now.Sub(l.looked) < every {
		return l.config
	}
	l.looked = now
	if s := l.files.stamps(); s != l.stamped || l.refused != "" {
		err, why := l.load(), ""
		if err != nil {
			why = err.Error()
		}
		if told := s == l.stamped && why == l.refused; !told && l.reloaded != nil {
			l.reloaded(err)
		}
		l.stamped, l.refused = s, why
	}
	return l.config
}

// Refresh looks whether a file has changed now, and not only ten seconds after the last look.
func (l *Live) Refresh() {
	l.mu.Lock()
	l.looked = time.Time{}
	l.mu.Unlock()
	l.current()
}

// Config is the configuration of a listener. Session tickets are its own and outlive a change of the files; a resumed
// session is verified again with the authorities and lists of then.
func (l *Live) Config() *tls.Config {
	c := l.current().Clone()
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return l.current(), nil }
	return c
}

// Expiry is the end of the certificate.
func (l *Live) Expiry() time.Time {
	l.current()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.expiry
}
