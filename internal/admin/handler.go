package admin

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"time"
)

// Handler answers all paths.
func Handler(o Options) http.Handler {
	o.defaults()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { health(w, r, o.State) })
	mux.HandleFunc("GET /startupz", func(w http.ResponseWriter, _ *http.Request) { startup(w, o.State) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { ready(w, r, &o) })
	if o.Metrics != nil {
		metrics := o.Metrics
		if o.AnyHost { // others reach it
			metrics = o.viewers(metrics)
		}
		mux.Handle("GET /metrics", metrics)
	}
	mux.HandleFunc("POST /api/v1/store/backup", o.backup)
	o.rabbitmq(mux)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusNotFound, "not_found", "there is nothing at this path; try /healthz, /readyz or /metrics")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", "GET, HEAD")
		problem(w, http.StatusMethodNotAllowed, "method", "only GET and HEAD are answered at this path")
	})
	return guard(mux, o.AnyHost)
}

// guard checks what holds for every request: the Host header, the size of the body, the headers of every answer.
func guard(next http.Handler, anyHost bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'") // OPERATIONS H6
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if !anyHost && !localHost(r.Host) {
			problem(w, http.StatusForbidden, "host", "this address answers to localhost, 127.0.0.1 and [::1] only")
			return
		}
		if r.ContentLength > maxBody {
			problem(w, http.StatusRequestEntityTooLarge, "too_large", "a body has at most 1 MiB")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// localHost tells whether a Host header names this machine. OPERATIONS H1
func localHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	switch strings.ToLower(strings.Trim(host, "[]")) {
	case "localhost", "127.0.0.1", "::1":
		return true
	}
	return false
}

func health(w http.ResponseWriter, r *http.Request, s State) {
	ctx, cancel := context.WithTimeout(r.Context(), time.Second)
	defer cancel()
	if s.Alive(ctx) != nil {
		text(w, http.StatusServiceUnavailable, "failed")
		return
	}
	text(w, http.StatusOK, "ok")
}

func startup(w http.ResponseWriter, s State) {
	if !s.Started() {
		text(w, http.StatusServiceUnavailable, "starting")
		return
	}
	text(w, http.StatusOK, "ok")
}

func ready(w http.ResponseWriter, r *http.Request, o *Options) {
	status, lines := http.StatusOK, []string{"ok"}
	verbose := r.URL.Query().Has("verbose")
	if verbose && !o.admit(w, r, Viewer) {
		return
	}
	if problems := o.State.Problems(); len(problems) > 0 {
		status, lines = http.StatusServiceUnavailable, problems
	}
	if n, ok := o.State.(Noting); ok {
		lines = append(lines, n.Notes()...)
	}
	if verbose {
		lines = append(lines, o.State.Details()...)
	}
	text(w, status, strings.Join(lines, "\n"))
}

func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body + "\n"))
}

// problem answers as RFC 9457 says.
func problem(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Code   string `json:"code"`
		Detail string `json:"detail"`
	}{"about:blank", http.StatusText(status), status, code, detail})
}
