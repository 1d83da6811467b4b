package admin

import "net/http"

// Verdict is what becomes of a request that only some may make. OPERATIONS H1
type Verdict uint8

// The verdicts.
const (
	Granted  Verdict = iota
	Nameless         // no login, or a wrong one
	Refused          // a login without the right
	Busy             // the login could not be looked at
)

// Level is how far a request goes. OPERATIONS section 4
type Level uint8

// The levels.
const (
	Viewer        Level = iota + 1 // looks
	Operator                       // acts on clients and messages
	Administrator                  // has everything
)

var needs = map[Level]string{
	Viewer:        "admin viewer, operator or admin",
	Operator:      "admin operator or admin",
	Administrator: "admin admin",
}

// viewers lets those see a page who may.
func (o *Options) viewers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o.admit(w, r, Viewer) {
			next.ServeHTTP(w, r)
		}
	})
}

// admit answers those who may not.
func (o *Options) admit(w http.ResponseWriter, r *http.Request, l Level) bool {
	if o.Admit == nil {
		return true
	}
	switch o.Admit(r, l) {
	case Granted:
		return true
	case Refused:
		problem(w, http.StatusForbidden, "role", "this needs a user whose role has "+needs[l])
	case Busy:
		w.Header().Set("Retry-After", "5")
		problem(w, http.StatusServiceUnavailable, "busy", "the login cannot be looked at now")
	default:
		w.Header().Set("WWW-Authenticate", `Basic realm="entrepot", charset="UTF-8"`) // RFC 7617
		problem(w, http.StatusUnauthorized, "login", "this needs a login: HTTP Basic, or a bearer token")
	}
	return false
}
