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

// viewers lets those see a page who may.
func viewers(viewer func(*http.Request) Verdict, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if admit(w, r, viewer) {
			next.ServeHTTP(w, r)
		}
	})
}

// admit answers those who may not.
func admit(w http.ResponseWriter, r *http.Request, viewer func(*http.Request) Verdict) bool {
	if viewer == nil {
		return true
	}
	switch viewer(r) {
	case Granted:
		return true
	case Refused:
		problem(w, http.StatusForbidden, "role", "this needs a user whose role has admin viewer, operator or admin")
	case Busy:
		w.Header().Set("Retry-After", "5")
		problem(w, http.StatusServiceUnavailable, "busy", "the login cannot be looked at now")
	default:
		w.Header().Set("WWW-Authenticate", `Basic realm="entrepot", charset="UTF-8"`) // RFC 7617
		problem(w, http.StatusUnauthorized, "login", "this needs a login: HTTP Basic, or a bearer token")
	}
	return false
}
