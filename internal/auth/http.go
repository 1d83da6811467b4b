package auth

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/entrepot/entrepot/adapters"
)

const (
	maxAnswer    = 64 << 10 // bytes
	mostKept     = 4 << 10  // bytes of an answer that is kept
	breakAfter   = 5        // errors in a row
	breakFor     = 10 * time.Second
	defaultHTTP  = 2 * time.Second
	signatureKey = "Entrepot-Signature"
)

// HTTPOptions of a backend that is asked over HTTP.
type HTTPOptions struct {
	URL     string
	Timeout time.Duration // default 2 s
	Secret  []byte        // of the signature; none: requests are not signed
	Cache   time.Duration // how long a good answer is kept, a bad one at most 5 s; 0: the service is asked each time
	Client  *http.Client  // default: one that follows no redirect
	Now     func() time.Time
}

// HTTP is a backend that asks a service. It says yes only to a well-formed 200 that says so.
type HTTP struct {
	options HTTPOptions
	answers *cache[Answer]

	mu     sync.Mutex
	failed int       // Guarded by mu: errors in a row
	closed time.Time // Guarded by mu: not asked again before
}

var _ Backend = (*HTTP)(nil)

// NewHTTP makes the backend.
func NewHTTP(o HTTPOptions) *HTTP {
	if o.Timeout == 0 {
		o.Timeout = defaultHTTP
	}
	if o.Client == nil {
		o.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &HTTP{options: o, answers: newCache[Answer](o.Now)}
}

// Name is the backend's word in the configuration.
func (h *HTTP) Name() string { return "http" }

// question is the body of a request.
type question struct {
	User      string `json:"user"`
	Password  string `json:"password"`
	ClientID  string `json:"client_id"`
	Protocol  string `json:"protocol"`
	Listener  string `json:"listener"`
	Addr      string `json:"addr"`
	Namespace string `json:"namespace,omitempty"`
}

// reply is the body of an answer.
type reply struct {
	Result     string            `json:"result"`
	User       string            `json:"user"`
	Roles      []string          `json:"roles"`
	Attrs      map[string]string `json:"attrs"`
	ClientIDs  []string          `json:"client_ids"`
	Namespaces []string          `json:"namespaces"`
	Expires    int64             `json:"expires"` // seconds since 1970; 0: never
}

// Check asks the service, unless it has answered the same question lately. After five errors in a row it is not asked
// for ten seconds.
func (h *HTTP) Check(ctx context.Context, c *adapters.Credentials) (Answer, error) {
	if h.options.Cache <= 0 {
		return h.check(ctx, c)
	}
	// The port is another one each time, and no service will decide by it.
	sum := h.answers.sum(c.Password, c.User, c.ClientID, c.Protocol, c.Listener, host(c.Addr), c.Asked)
	if a, known := h.answers.get(sum); known {
		return a, nil
	}
	a, err := h.check(ctx, c)
	if err != nil {
		return a, err // is no answer, and not kept
	}
	keep := h.options.Cache
	if a.Verdict != Allowed {
		keep = min(keep, keepBad)
	} else if !a.Expires.IsZero() {
		keep = min(keep, a.Expires.Sub(h.options.Now()))
	}
	if a.size() <= mostKept {
		h.answers.put(sum, a, keep)
	}
	return a, nil
}

// size is about the memory of an answer, in bytes.
func (a *Answer) size() (n int) {
	for _, list := range [][]string{a.Roles, a.ClientIDs, a.Namespaces} {
		for _, s := range list {
			n += 16 + len(s)
		}
	}
	for k, v := range a.Attrs {
		n += 32 + len(k) + len(v)
	}
	return n + len(a.User)
}

func (h *HTTP) check(ctx context.Context, c *adapters.Credentials) (Answer, error) {
	if err := h.open(); err != nil {
		return Answer{}, err
	}
	r, err := h.ask(ctx, c)
	h.count(err)
	if err != nil {
		return Answer{}, err
	}
	switch r.Result {
	case "unknown":
		return Answer{Verdict: Unknown}, nil
	case "allow":
	default:
		return Answer{Verdict: Denied}, nil
	}
	a := Answer{Verdict: Allowed, User: r.User, Roles: r.Roles, Attrs: r.Attrs, ClientIDs: r.ClientIDs, Namespaces: r.Namespaces, Method: "http"}
	if r.Expires != 0 {
		a.Expires = time.Unix(r.Expires, 0)
	}
	return a, nil
}

func (h *HTTP) open() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failed >= breakAfter && h.options.Now().Before(h.closed) {
		return fmt.Errorf("%w: %d errors in a row", errUnreachable, h.failed)
	}
	return nil
}

func (h *HTTP) count(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		h.failed = 0
		return
	}
	h.failed++
	h.closed = h.options.Now().Add(breakFor)
}

func (h *HTTP) ask(ctx context.Context, c *adapters.Credentials) (*reply, error) {
	body, err := json.Marshal(question{c.User, string(c.Password), c.ClientID, c.Protocol, c.Listener, c.Addr, c.Asked})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, h.options.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.options.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if len(h.options.Secret) > 0 {
		req.Header.Set(signatureKey, Sign(h.options.Secret, h.options.Now(), body))
	}
	res, err := h.options.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the service answers with status %d", res.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxAnswer {
		return nil, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	r := new(reply)
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("the answer is no JSON of the right form: %w", err)
	}
	if r.Result != "allow" && r.Result != "deny" && r.Result != "unknown" {
		return nil, fmt.Errorf("the answer's result is none of allow, deny, unknown")
	}
	return r, nil
}

// Sign is the value of Entrepot-Signature for a body: the time and an HMAC-SHA-256 of time, dot and body.
func Sign(secret []byte, now time.Time, body []byte) string {
	at := strconv.FormatInt(now.Unix(), 10)
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(at + "."))
	m.Write(body)
	return "t=" + at + ",v1=" + hex.EncodeToString(m.Sum(nil))
}
