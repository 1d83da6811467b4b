package mosquitto

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// handlers translate what stands for itself, by key.
var handlers map[string]func(c *converter, l *Line)

func init() { // they call one another's table
	handlers = map[string]func(c *converter, l *Line){
		"listener": (*converter).listener, "port": (*converter).port,
		"per_listener_settings": func(_ *converter, l *Line) {
			if l.value == "true" {
				l.changed("users and their rights hold for all listeners; whether anonymous clients are let in is each listener's own")
			}
		},
		"include_dir": func(*converter, *Line) {},

		"max_inflight_messages": number(1, 65535, "65535", "mqtt.inflight"),
		"max_keepalive":         number(1, 65535, "0", "mqtt.max_keepalive"),
		"max_packet_size":       number(128, 268435460, "268435460", "mqtt.maximum_packet_size"),
		"max_topic_alias":       number(0, 65535, "0", "mqtt.topic_alias_maximum"),
		"message_size_limit":    number(1024, 256<<20, "256MiB", "limits.message_bytes"),
		"max_queued_bytes":      number(1024, 1<<60, "1TiB", "limits.queue_bytes"),
		"max_queued_messages": func(c *converter, l *Line) {
			number(1, 1<<31, "1000000000", "limits.queue_messages")(c, l)
			l.changed("a full queue drops its oldest message, and named queues have the bound too")
		},
		"persistent_client_expiration": (*converter).expiration,
		"sys_interval": func(c *converter, l *Line) {
			if n, ok := whole(l, 0, 3600); ok {
				c.keys.set("sys", "interval", "%ds", n)
			}
		},
		"queue_qos0_messages": flag("mqtt.queue_qos0"),
		"retain_available":    flag("mqtt.retain_available"),
		"connection_messages": flag("log.connections"),

		"allow_zero_length_clientid": flag("mqtt.allow_zero_length_client_id"),

		"persistence": func(c *converter, l *Line) {
			if l.value == "false" {
				c.keys.set("node", "data", "memory")
				return
			}
			l.note("everything is in a synced store")
		},
		"persistence_location": func(c *converter, l *Line) {
			dir := filepath.Join(c.file(l), "entrepot")
			c.keys.set("node", "data", "%s", quote(dir))
			l.changed("the store is in %s; what mosquitto has stored is not read", dir)
		},
		"log_dest": (*converter).logDest, "log_type": (*converter).logType,

		"password_file": func(c *converter, l *Line) { c.holder().passwords = l },
		"acl_file":      func(c *converter, l *Line) { c.holder().acl = l },
		"psk_file":      func(_ *converter, l *Line) { l.lost("pre-shared keys are for DTLS: TLS with them is not spoken here") },
		"allow_anonymous": func(c *converter, l *Line) {
			c.holder().allowAnonymous = l
		},
		"plugin": plugin, "auth_plugin": plugin, "global_plugin": plugin,
	}
	for key, why := range unneeded {
		handlers[key] = func(_ *converter, l *Line) { l.note("%s", why) }
	}
	for key, why := range different {
		handlers[key] = func(_ *converter, l *Line) { l.changed("%s", why) }
	}
	for key, why := range impossible {
		handlers[key] = func(_ *converter, l *Line) { l.lost("%s", why) }
	}
	for key, off := range onlyOff {
		handlers[key] = func(_ *converter, l *Line) {
			if l.value != off.value {
				l.lost("%s", off.why)
			}
		}
	}
	for key, handle := range listenerKeys {
		handlers[key] = func(c *converter, l *Line) {
			here := c.here()
			here.asked = true
			handle(here, c, l)
		}
	}
}

// unneeded is what needs no key here.
var unneeded = map[string]string{
	"autosave_interval": "not needed: what is acknowledged is stored", "autosave_on_changes": "not needed: what is acknowledged is stored",
	"persistence_file": "not needed: the store is a folder", "set_tcp_nodelay": "not needed: it is always so",
	"websockets_log_level": "not needed: there is one log", "websockets_headers_size": "not needed: headers are bounded",
	"log_timestamp_format": "not needed: times are RFC 3339", "retain_expiry_interval": "not needed: messages have their own expiry",
}

// different is what is done in another way.
var different = map[string]string{
	"pid_file": "no file is written: who starts the process knows it", "user": "start entrepot as that user: it keeps the one that starts it",
	"check_retain_source": "the right of the receiver decides, at each delivery", "log_timestamp": "each line of the log has its time",
	"enable_control_api": "there is none; health and metrics are on an http:// listener",
}

// impossible is what has no counterpart.
var impossible = map[string]string{
	"auto_id_prefix": "identifiers that the server makes are 22 random characters", "clientid_prefixes": "write client_ids beside the users",
	"log_facility": "there is no syslog; the service manager takes stderr", "memory_limit": "set GOMEMLIMIT in the environment",
	"max_inflight_bytes": "deliveries in flight are counted, by mqtt.inflight",
}

// onlyOff is what is the same as long as it is off.
var onlyOff = map[string]struct{ value, why string }{
	"upgrade_outgoing_qos": {"false", "a message is delivered with the lower of the two QoS"}, "allow_duplicate_messages": {"false", "write mqtt: {overlap: each}"},
}

func plugin(_ *converter, l *Line) {
	l.lost("there are no plugins; auth.http asks a service, and nobody is anonymous until somebody has looked at this")
}

// whole is a number within bounds.
func whole(l *Line, least, most int) (int, bool) {
	n, err := strconv.Atoi(l.value)
	switch {
	case err != nil:
		l.lost("it is no number")
		return 0, false
	case n < least || n > most:
		edge := min(max(n, least), most)
		l.changed("%d is not between %d and %d, so it is %d", n, least, most, edge)
		return edge, true
	}
	return n, true
}

// number makes a key of a number; none is what stands for mosquitto's 0, which is no limit.
func number(least, most int, none, name string) func(*converter, *Line) {
	section, name, _ := strings.Cut(name, ".")
	return func(c *converter, l *Line) {
		if l.value == "0" {
			c.keys.set(section, name, "%s", none)
			return
		}
		if n, ok := whole(l, least, most); ok {
			c.keys.set(section, name, "%d", n)
		}
	}
}

func truth(l *Line) (v, ok bool) {
	if l.value != "true" && l.value != "false" {
		l.lost("it is neither true nor false")
		return false, false
	}
	return l.value == "true", true
}

func flag(name string) func(*converter, *Line) {
	section, name, _ := strings.Cut(name, ".")
	return func(c *converter, l *Line) {
		if v, ok := truth(l); ok {
			c.keys.set(section, name, "%t", v)
		}
	}
}

// expiration reads mosquitto's 2h 3d 4w 5m 6y, where m is a month.
func (c *converter) expiration(l *Line) {
	days := map[byte]int{'h': 0, 'd': 1, 'w': 7, 'm': 30, 'y': 365}
	unit := l.value[len(l.value)-1]
	n, err := strconv.Atoi(l.value[:len(l.value)-1])
	d, known := days[unit]
	if err != nil || !known || n < 1 || n > 3650*24 || n*max(d, 1) > 3650*24 || d > 0 && n*d > 3650 {
		l.lost("it is not between 1h and 10y, written 12h, 14d, 2w, 3m or 1y")
		return
	}
	text := strconv.Itoa(n*d) + "d"
	if d == 0 {
		text = strconv.Itoa(n) + "h"
	}
	for _, key := range []string{"limits.session_expiry_max", "mqtt.session_expiry_max", "mqtt.v3_session_expiry"} {
		section, name, _ := strings.Cut(key, ".")
		c.keys.set(section, name, "%s", text)
	}
}

func (c *converter) logDest(l *Line) {
	kind, rest, _ := strings.Cut(l.value, " ")
	switch {
	case kind == "stderr":
	case kind == "stdout":
		l.changed("the log is on stderr")
	case kind == "file" && rest != "":
		c.keys.set("log", "file", "%s", quote(strings.TrimSpace(rest)))
		l.changed("the lines have the form of this log")
	case kind == "none":
		c.keys.set("log", "level", "error")
		l.changed("errors are logged all the same")
	default:
		l.lost("there is no such destination: the log goes to stderr or to a file")
	}
}

// logLevels are mosquitto's types from the fewest lines to the most.
var logLevels = []string{"error", "warn", "info", "debug"}

func (c *converter) logType(l *Line) {
	level := map[string]string{"none": "error", "error": "error", "warning": "warn", "notice": "info", "information": "info",
		"all": "debug", "debug": "debug", "subscribe": "debug", "unsubscribe": "debug", "websockets": "debug", "internal": "debug"}[l.value]
	if level == "" {
		l.lost("there is no such type")
		return
	}
	if n := slices.Index(logLevels, level) + 1; n > c.levels {
		c.levels = n
		c.keys.set("log", "level", "%s", level)
	}
	l.changed("the log has levels: log.level is %s or lower", level)
}
