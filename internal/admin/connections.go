package admin

import (
	"bufio"
	"encoding/json"
	"iter"
	"net/http"
)

// Connection is one that is open, in the form of RabbitMQ's management API.
type Connection struct {
	Name       string          `json:"name"`
	User       string          `json:"user"`
	Vhost      string          `json:"vhost"`
	Protocol   string          `json:"protocol"`
	Mechanism  string          `json:"auth_mechanism"`
	State      string          `json:"state"`
	Type       string          `json:"type"`
	PeerHost   string          `json:"peer_host"`
	PeerPort   int             `json:"peer_port"`
	Host       string          `json:"host"`
	Port       int             `json:"port"`
	TLS        bool            `json:"ssl"`
	Since      int64           `json:"connected_at"` // milliseconds of Unix
	Channels   int             `json:"channels"`
	ChannelMax int             `json:"channel_max"`
	FrameMax   int             `json:"frame_max"`
	Heartbeat  int             `json:"timeout"` // seconds
	Given      string          `json:"user_provided_name,omitempty"`
	Properties json.RawMessage `json:"client_properties"`
}

// Connections lists and ends connections. It holds nobody up.
type Connections interface {
	// All are those that are open, by their names.
	All() iter.Seq[Connection]
	// Find is the one of that name.
	Find(name string) (Connection, bool)
	// Close ends the one of that name soon, and tells its client why; "" for nothing
	// particular. false: there is none.
	Close(name, why string) bool
}

// rabbitmq answers the part of RabbitMQ's management API that there is, for tools of
// its world: connections to list and to end. AMQP AQ18
func (o *Options) rabbitmq(mux *http.ServeMux) {
	if o.Connections == nil {
		return
	}
	mux.HandleFunc("GET /api/connections", o.listConnections)
	mux.HandleFunc("GET /api/connections/{$}", o.listConnections)
	mux.HandleFunc("GET /api/connections/{name}", o.showConnection)
	mux.HandleFunc("DELETE /api/connections/{name}", o.endConnection)
}

// listConnections answers with all of them. The answer is written as it is made, so
// that a long one takes no memory.
func (o *Options) listConnections(w http.ResponseWriter, r *http.Request) {
	if !o.admit(w, r, Viewer) {
		return
	}
	out := bufio.NewWriterSize(&stream{to: w, control: http.NewResponseController(w), timeout: o.Timeout, kind: "application/json"}, 32<<10)
	into := json.NewEncoder(out)
	into.SetEscapeHTML(false)
	sep := byte('[')
	for c := range o.Connections.All() {
		_ = out.WriteByte(sep)
		if into.Encode(&c) != nil {
			panic(http.ErrAbortHandler) // who asked has gone
		}
		sep = ','
	}
	if sep == '[' {
		_ = out.WriteByte(sep)
	}
	_, _ = out.WriteString("]\n")
	_ = out.Flush()
}

func (o *Options) showConnection(w http.ResponseWriter, r *http.Request) {
	if !o.admit(w, r, Viewer) {
		return
	}
	c, ok := o.Connections.Find(r.PathValue("name"))
	if !ok {
		noConnection(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	into := json.NewEncoder(w)
	into.SetEscapeHTML(false)
	_ = into.Encode(&c)
}

func (o *Options) endConnection(w http.ResponseWriter, r *http.Request) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		problem(w, http.StatusForbidden, "origin", "a web page of another origin cannot ask for this")
		return
	}
	if !o.admit(w, r, Operator) {
		return
	}
	name, why := r.PathValue("name"), r.Header.Get("X-Reason")
	if !o.Connections.Close(name, why) {
		noConnection(w)
		return
	}
	o.Log.Info("admin.action", "action", "disconnect", "object", name, "reason", why, "addr", r.RemoteAddr)
	w.WriteHeader(http.StatusNoContent)
}

func noConnection(w http.ResponseWriter) {
	problem(w, http.StatusNotFound, "no_connection", "no connection of this name is open")
}
