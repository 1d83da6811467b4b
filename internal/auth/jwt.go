package auth

import (
	"bytes"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/entrepot/entrepot/adapters"
)

const (
	jwtName    = "jwt"
	maxToken   = 8 << 10 // bytes
	leeway     = time.Minute
	leastRSA   = 2048 // bits
	tokenUser  = "jwt"
	tokenStart = `eyJ` // of every token: {" in base64url
)

// defaultAlgorithms are those of key pairs; "none" is never among them.
var defaultAlgorithms = []string{"RS256", "ES256", "EdDSA"}

// KeySource gives the key that a token was signed with.
type KeySource interface {
	Key(ctx context.Context, t *jwt.Token) (any, error)
}

// JWTOptions of a backend for tokens.
type JWTOptions struct {
	Keys       KeySource // of key pairs; excludes Secret
	Secret     []byte    // of HMAC
	Algorithms []string  // default RS256, ES256, EdDSA; with a secret HS256
	Issuer     string    // must be equal, if it is set
	Audience   string    // must be among them, if it is set
	User       string    // claim that names the user; default sub
	Namespace  string    // claim that names the namespace; "" for none
	Roles      string    // claim that lists roles; "" for none
	ClientIDs  string    // claim that lists globs of client identifiers; "" for none
}

// JWT is the backend of JSON Web Tokens (RFC 7519), which come as passwords.
type JWT struct {
	options JWTOptions
	parser  *jwt.Parser
}

var _ Backend = (*JWT)(nil)

// NewJWT makes the backend. A combination of keys and algorithms that could be abused is an error.
func NewJWT(o JWTOptions) (*JWT, error) {
	if (o.Keys == nil) == (len(o.Secret) == 0) {
		return nil, errors.New("either a key set or a secret is needed, and never both")
	}
	if len(o.Algorithms) == 0 {
		o.Algorithms = defaultAlgorithms
		if o.Keys == nil {
			o.Algorithms = []string{"HS256"}
		}
	}
	for _, a := range o.Algorithms {
		m := jwt.GetSigningMethod(a)
		_, hmac := m.(*jwt.SigningMethodHMAC)
		switch {
		case m == nil, a == jwt.SigningMethodNone.Alg():
			return nil, fmt.Errorf("%q is no algorithm that is accepted", a)
		case hmac != (o.Keys == nil):
			return nil, fmt.Errorf("the algorithm %s does not go with that kind of key", a)
		}
	}
	if o.User == "" {
		o.User = "sub"
	}
	rules := []jwt.ParserOption{jwt.WithValidMethods(o.Algorithms), jwt.WithExpirationRequired(), jwt.WithLeeway(leeway)}
	if o.Issuer != "" {
		rules = append(rules, jwt.WithIssuer(o.Issuer))
	}
	if o.Audience != "" {
		rules = append(rules, jwt.WithAudience(o.Audience))
	}
	return &JWT{options: o, parser: jwt.NewParser(rules...)}, nil
}

// Name is the backend's word in the configuration.
func (j *JWT) Name() string { return jwtName }

// isToken tells that a password has the shape of a token.
func isToken(password []byte) bool {
	return bytes.HasPrefix(password, []byte(tokenStart)) && bytes.Count(password, []byte{'.'}) == 2
}

// notTaken is the answer to a token, whatever is wrong with it: all faults look the same from outside.
var notTaken = Answer{Verdict: Denied, Why: "token"}

// Check verifies a token. What is none is left to the next backend, unless the user says that it is one.
func (j *JWT) Check(ctx context.Context, c *adapters.Credentials) (Answer, error) {
	if !isToken(c.Password) {
		if c.User == tokenUser {
			return notTaken, nil
		}
		return Answer{Verdict: Unknown}, nil
	}
	if len(c.Password) > maxToken {
		return notTaken, nil
	}
	claims := jwt.MapClaims{}
	var unreachable error
	_, err := j.parser.ParseWithClaims(string(c.Password), claims, func(t *jwt.Token) (any, error) {
		key, err := j.key(ctx, t)
		if errors.Is(err, errUnreachable) {
			unreachable = err
		}
		return key, err
	})
	switch {
	case unreachable != nil:
		return Answer{}, unreachable
	case err != nil:
		return notTaken, nil
	}
	return j.answer(c, claims), nil
}

func (j *JWT) key(ctx context.Context, t *jwt.Token) (any, error) {
	if j.options.Keys == nil {
		return j.options.Secret, nil
	}
	key, err := j.options.Keys.Key(ctx, t)
	if err != nil {
		return nil, err
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < leastRSA {
			return nil, fmt.Errorf("an RSA key has at least %d bits", leastRSA)
		}
	case []byte, string:
		return nil, errors.New("a key set holds no secrets")
	}
	return key, nil
}

// answer turns claims into an answer. A user name beside the token must be the token's (U1). A claim that is not of its
// kind makes the token worthless: what it was to restrict would be free otherwise.
func (j *JWT) answer(c *adapters.Credentials, claims jwt.MapClaims) Answer {
	user, _ := claims[j.options.User].(string)
	if user == "" || c.User != tokenUser && c.User != user {
		return notTaken
	}
	a := Answer{Verdict: Allowed, User: user, Method: jwtName}
	var roles, ids bool
	a.Roles, roles = words(claims, j.options.Roles)
	a.ClientIDs, ids = words(claims, j.options.ClientIDs)
	ns, namespace := claims[j.options.Namespace].(string)
	if j.options.Namespace == "" || claims[j.options.Namespace] == nil {
		ns, namespace = "", true
	}
	if !roles || !ids || !namespace {
		return notTaken
	}
	if ns != "" {
		a.Namespaces = []string{ns}
	}
	if exp, err := claims.GetExpirationTime(); err == nil && exp != nil {
		a.Expires = exp.Add(leeway) // as long as the token would be taken
	}
	return a
}

// maxWords bounds a list in a token or an answer.
const maxWords = 256

// words reads a claim that is a list of text, or text with blanks; none where the claim is not there. ok is false when
// it is of another kind.
func words(claims jwt.MapClaims, name string) (list []string, ok bool) {
	if name == "" {
		return nil, true
	}
	switch v := claims[name].(type) {
	case nil:
		return nil, true
	case string:
		list = strings.Fields(v)
	case []any:
		for _, x := range v {
			s, text := x.(string)
			if !text {
				return nil, false
			}
			list = append(list, s)
		}
	default:
		return nil, false
	}
	return slices.Clip(list[:min(len(list), maxWords)]), true
}
