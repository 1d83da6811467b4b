package sys

import (
	"fmt"
	"strings"
)

// Document writes docs/sys.md.
func Document() string {
	var b strings.Builder
	b.WriteString(`# $SYS

Generated from internal/sys by ` + "`make generate`" + `. The gateway publishes its own state as mosquitto does: retained, with QoS 0, every
` + "`sys.interval`" + ` (10 s; 0 publishes nothing), and only what has changed since. Values are text. Nothing of it is stored: after a
restart every count begins anew. It is published in the default namespace.

` + "`#`" + ` and ` + "`+/...`" + ` never show these topics; subscribe to ` + "`$SYS/#`" + `. Clients cannot publish there. Retained values of $SYS count for no limit.

## The whole gateway

Counts are over all protocols.

| Topic below ` + "`$SYS/broker/`" + ` | Value |
|---|---|
`)
	for _, v := range values {
		fmt.Fprintf(&b, "| `%s` | %s |\n", v.name, v.about)
	}
	b.WriteString(`
## Load

What happens in a minute, as an average that is exponentially damped over 1, 5 and 15 minutes, with two decimals.

| Topic below ` + "`$SYS/broker/`" + ` | Of |
|---|---|
`)
	for _, m := range averaged {
		fmt.Fprintf(&b, "| `load/%s/{1min,5min,15min}` | %s |\n", m.name, m.about)
	}
	b.WriteString(`
## Packets of MQTT

| Topic below ` + "`$SYS/broker/`" + ` | Value |
|---|---|
`)
	for _, p := range mqttPackets {
		words := strings.ReplaceAll(p.directions, " ", ",")
		if strings.Contains(words, ",") {
			words = "{" + words + "}"
		}
		fmt.Fprintf(&b, "| `mqtt/%s/%s` | %s packets |\n", p.name, words, strings.ToUpper(p.name))
	}
	b.WriteString(`
## Each protocol

PROTOCOL is ` + "`mqtt` `mqttsn` `coap` `stomp` or `amqp`" + `. WebSocket counts for the protocol that it carries.

| Topic below ` + "`$SYS/broker/`" + ` | Value |
|---|---|
`)
	for _, v := range perProtocol {
		fmt.Fprintf(&b, "| `entrepot/PROTOCOL/%s` | %s |\n", v.name, v.about)
	}
	b.WriteString(`
## Events of clients

With ` + "`sys.events: true`" + ` the gateway publishes what becomes of every client that has an identifier, as EMQX does: JSON, QoS 0, not
retained, in the client's namespace. When more than ` + fmt.Sprint(queued) + ` wait, further ones are dropped and counted (` + "`entrepot_sys_events_dropped_total`" + `).

| Topic | Fields besides ` + "`clientid` `username` `protocol` `ipaddress` `ts`" + ` |
|---|---|
| ` + "`$SYS/brokers/NODE/clients/ID/connected`" + ` | ` + "`connected_at` `clean_start` `expiry_interval`" + ` |
| ` + "`$SYS/brokers/NODE/clients/ID/disconnected`" + ` | ` + "`disconnected_at` `reason`" + ` |
| ` + "`$SYS/brokers/NODE/clients/ID/subscribed`" + ` | ` + "`topic` `subopts` (`qos` `nl` `rap` `rh`)" + ` |
| ` + "`$SYS/brokers/NODE/clients/ID/unsubscribed`" + ` | ` + "`topic`" + ` |

NODE is ` + "`node.name`" + `. Times are milliseconds since 1970, ` + "`expiry_interval`" + ` is in seconds. In NODE and ID the characters ` + "`%` `/` `+` `#`" + ` are
written ` + "`%25` `%2F` `%2B` `%23`" + `; ` + "`clientid`" + ` is the identifier as it is. A client without an identifier (CoAP, STOMP, AMQP) has no events.
`)
	return b.String()
}
