package mosquitto

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Options of an import.
type Options struct {
	// Convert makes users and roles of the password and access control files. Otherwise the files are used in place,
	// where that is possible.
	Convert bool
}

// A Result is our configuration and what became of each line.
type Result struct {
	YAML  []byte
	Lines []*Line
}

// Complete tells that every line was translated.
func (r *Result) Complete() bool {
	for _, l := range r.Lines {
		if l.Verdict == NotTranslated {
			return false
		}
	}
	return true
}

// Import reads a mosquitto.conf. The error is that of reading it.
func Import(path string, o Options) (*Result, error) {
	lines, err := readAll(path)
	if err != nil {
		return nil, err
	}
	c := &converter{options: o, path: path, lines: lines}
	c.first()
	for _, l := range lines {
		c.line(l)
	}
	c.listen()
	who := c.people()
	c.anonymous(who)
	return &Result{YAML: c.yaml(who), Lines: c.lines}, nil
}

// converter holds what has been read so far.
type converter struct {
	options   Options
	path      string
	lines     []*Line
	listeners []*listener // the default one first, where there is one
	keys      keys
	separate  bool     // per_listener_settings
	shared    security // of all listeners, without them
	plugin    *Line    // somebody else decides who may do what
	levels    int      // how many of logLevels are logged
}

// first finds what holds for all lines, wherever it stands.
func (c *converter) first() {
	for _, l := range c.lines {
		switch l.key {
		case "per_listener_settings":
			c.separate = l.value == "true"
		case "plugin", "auth_plugin", "global_plugin":
			c.plugin = l
		}
	}
	c.listeners = []*listener{{}} // the default listener; it goes where nothing asks for it
}

// here is the listener that a line belongs to.
func (c *converter) here() *listener { return c.listeners[len(c.listeners)-1] }

// line translates one.
func (c *converter) line(l *Line) {
	if l.Verdict == NotTranslated { // the reader has said why
		return
	}
	switch {
	case bridgeKeys[l.key] || strings.HasPrefix(l.key, "bridge_") || strings.HasPrefix(l.key, "remote_") || strings.HasPrefix(l.key, "local_"):
		l.lost(bridges)
	case strings.HasPrefix(l.key, "plugin_opt_"), strings.HasPrefix(l.key, "auth_opt_"), l.key == "auth_plugin_deny_special_chars":
		l.lost("it belongs to a plugin")
	default:
		handle, known := handlers[l.key]
		if !known {
			l.lost("mosquitto.conf(5) does not know it")
			return
		}
		if l.value == "" && l.key != "psk_hint" {
			l.lost("it has no value")
			return
		}
		handle(c, l)
	}
}

const bridges = "bridges come with the bridge engine"

// bridgeKeys are those of a connection that do not begin with bridge_, remote_ or local_.
var bridgeKeys = map[string]bool{
	"connection": true, "address": true, "addresses": true, "cleansession": true, "clientid": true, "idle_timeout": true, "keepalive_interval": true, "notifications": true,
	"notification_topic": true, "notifications_local_only": true, "password": true, "restart_timeout": true, "round_robin": true, "start_type": true,
	"threshold": true, "topic": true, "try_private": true, "username": true,
}

// file is the path of a file as mosquitto understands it: relative to the folder that it is started in.
func (c *converter) file(l *Line) string {
	if filepath.IsAbs(l.value) {
		return l.value
	}
	abs, err := filepath.Abs(l.value)
	if err != nil {
		l.lost("the path cannot be made absolute")
		return l.value
	}
	l.changed("the path is written as %s", abs)
	return abs
}

// keys are the sections of the result, in the order in which they were set.
type keys []*key

type key struct{ section, name, value string }

// set sets a key; the last line counts, as in mosquitto.
func (k *keys) set(section, name, format string, args ...any) {
	value := fmt.Sprintf(format, args...)
	for _, have := range *k {
		if have.section == section && have.name == name {
			have.value = value
			return
		}
	}
	*k = append(*k, &key{section, name, value})
}
