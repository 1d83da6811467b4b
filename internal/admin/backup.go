package admin

import (
	"errors"
	"net/http"
	"time"
)

// ErrBusy answers a second request for what is done once at a time.
var ErrBusy = errors.New("already under way")

// backup answers with the store as a tar. An answer that breaks off is no backup: its last file is missing, and so is the
// end of the answer.
func (o *Options) backup(w http.ResponseWriter, r *http.Request) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		problem(w, http.StatusForbidden, "origin", "a web page of another origin cannot ask for this")
		return
	}
	if !o.admit(w, r, Administrator) {
		return
	}
	if o.Backup == nil {
		problem(w, http.StatusNotFound, "no_store", "this gateway keeps nothing on disk")
		return
	}
	out := &stream{to: w, control: http.NewResponseController(w), timeout: o.Timeout, kind: "application/x-tar"}
	_ = out.control.SetReadDeadline(time.Time{})
	err := o.Backup(out)
	if err == nil {
		o.Log.Info("admin.action", "action", "backup", "addr", r.RemoteAddr, "bytes", out.bytes)
		return
	}
	o.Log.Warn("admin.action", "action", "backup", "result", "failed", "addr", r.RemoteAddr, "bytes", out.bytes, "error", err)
	switch {
	case out.bytes > 0:
		panic(http.ErrAbortHandler) // so that what came is not taken for the whole
	case errors.Is(err, ErrBusy):
		problem(w, http.StatusConflict, "busy", "another backup is being made; try again when it is done")
	default:
		problem(w, http.StatusInternalServerError, "store", err.Error())
	}
}

// A stream is an answer that may take long, as long as the client takes part.
type stream struct {
	to      http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
	bytes   int64
	kind    string // of the answer
}

// Write implements io.Writer.
func (s *stream) Write(p []byte) (int, error) {
	if s.bytes == 0 {
		s.to.Header().Set("Content-Type", s.kind)
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(s.timeout))
	n, err := s.to.Write(p)
	s.bytes += int64(n)
	return n, err
}
