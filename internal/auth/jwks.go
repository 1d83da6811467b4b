package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/entrepot/entrepot/internal/unreadable"
)

const (
	maxKeySet     = 1 << 20 // bytes
	fetchTimeout  = 5 * time.Second
	refreshAfter  = 10 * time.Minute
	refreshAtMost = 30 * time.Second // for a key that is not known
)

// errUnreachable says that a backend did not answer: it denies, but says nothing about the user.
var errUnreachable = errors.New("the backend cannot be reached")

// KeySet is a JSON Web Key Set (RFC 7517), of a file or fetched from a URL and fetched again when it is old or a key is
// missing. What a token says about where keys are (jku, x5u) is never followed.
type KeySet struct {
	url    string
	client *http.Client

	mu    sync.Mutex
	keys  keyfunc.Keyfunc // Guarded by mu; nil: never read
	cause error           // Guarded by mu: of the last try that failed
	tried time.Time       // Guarded by mu
	read  time.Time       // Guarded by mu
}

var _ KeySource = (*KeySet)(nil)

// FileKeySet reads a key set from a file. An error names it.
func FileKeySet(path string) (*KeySet, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %s", path, unreadable.Why(err))
	}
	defer f.Close()
	keys, err := readKeySet(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &KeySet{keys: keys}, nil
}

// URLKeySet is a key set that is fetched when it is first needed. client is used with a time limit of five seconds.
func URLKeySet(url string, client *http.Client) *KeySet {
	if client == nil {
		client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return &KeySet{url: url, client: client}
}

func readKeySet(r io.Reader) (keyfunc.Keyfunc, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxKeySet+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxKeySet {
		return nil, fmt.Errorf("the key set has more than %d bytes", maxKeySet)
	}
	keys, err := keyfunc.NewJWKSetJSON(raw)
	if err != nil {
		return nil, errors.New("it is no key set: JSON with a list of keys (RFC 7517)")
	}
	return keys, nil
}

// Key is the key that a token names by its kid.
func (s *KeySet) Key(ctx context.Context, t *jwt.Token) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.url != "" && (s.keys == nil || now.Sub(s.read) > refreshAfter) {
		s.fetch(ctx, now)
	}
	if s.keys == nil {
		return nil, fmt.Errorf("%w: %w", errUnreachable, s.cause)
	}
	key, err := s.keys.KeyfuncCtx(ctx)(t)
	if err != nil && s.fetch(ctx, now) {
		key, err = s.keys.KeyfuncCtx(ctx)(t)
	}
	return key, err
}

// fetch reads the set anew, not more often than allowed; on failure the old one stays. mu is held, so that one login
// fetches and the others wait for it.
func (s *KeySet) fetch(ctx context.Context, now time.Time) bool {
	if s.url == "" || now.Sub(s.tried) < refreshAtMost {
		return false
	}
	s.tried = now
	keys, err := s.get(ctx)
	if s.cause = err; err != nil {
		return false
	}
	s.keys, s.read = keys, now
	return true
}

func (s *KeySet) get(ctx context.Context) (keyfunc.Keyfunc, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %s", res.Status)
	}
	return readKeySet(res.Body)
}

// Fetch tells whether the set can be fetched now.
func (s *KeySet) Fetch(ctx context.Context) error {
	_, err := s.get(ctx)
	return err
}
