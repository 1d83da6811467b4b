package credentials

import (
	"fmt"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/internal/auth/password"
	"github.com/entrepot/entrepot/internal/dial"
	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
	"github.com/entrepot/entrepot/test/rig"
)

var secret = password.New([]byte("secret")).Text() // of every user

// users of the tests: gw1 is a device, eve another with the same rights in other places, boss may everything.
const users = `
roles:
  sensor: ["pub dev/#", "sub cmd/#", "deny pub dev/secret/#", "deny sub cmd/secret/#"]
  own:    ["pubsub own/{client}/#"]
  all:    ["pubsub #", "pubsub $queue/#", "queue #", "sub $SYS/#", "admin admin"]
  see:    ["admin viewer"]
users:
  - {name: gw1, role: [sensor, own], client_ids: ["gw1-*", "shared"], password: "HASH"}
  - {name: eve, role: [sensor], client_ids: ["eve-*", "shared"], password: "HASH"}
  - {name: many, role: [all], namespaces: [default, plant], password: "HASH"}
  - {name: away, role: [all], namespaces: [plant, hq], password: "HASH"}
  - {name: beacon, role: [sensor], client_ids: ["sn-*"], password: none}
  - {name: viewer, role: [see], password: "HASH"}
  - {name: boss, role: [all], password: "HASH"}
`

// table is the table of clients of the MQTT-SN listener.
const table = `
- {client_id: "gw1-*", from: [127.0.0.0/8], user: gw1}
- {client_id: "shared", from: [127.0.0.1], user: gw1}
- {client_id: "sn-*", from: [127.0.0.0/8], user: beacon}
- {client_id: "far-*", from: [10.0.0.0/8], user: gw1}
`

// house is a running gateway with these users.
type house struct{ *rig.Gateway }

func start(t *testing.T, more string) *house { return startWith(t, more, nil) }

// startWith adds listeners with TLS where there is an authority.
func startWith(t *testing.T, more string, ca *tlstest.Authority) *house {
	t.Helper()
	names := []string{"http", "mqtt", "ws", "mqttsn", "coap", "stomp", "amqp"}
	var listeners strings.Builder
	listeners.WriteString("listeners:\n")
	for _, n := range names {
		extra := ""
		if n == "mqttsn" {
			extra = ", qos_m1_client: beacon, clients: " + rig.File(t, "clients.yaml", table)
		}
		fmt.Fprintf(&listeners, "  - {url: \"%s://127.0.0.1:0\"%s}\n", n, extra)
	}
	if ca != nil {
		srv := ca.Issue("localhost")
		secure := func(name, scheme, extra string) {
			names = append(names, name)
			fmt.Fprintf(&listeners, "  - {url: \"%s://127.0.0.1:0\"%s, tls: {cert: %s, key: %s, client_ca: %s, client_auth: optional}}\n", scheme, extra, srv.Cert, srv.Key, ca.File)
		}
		for _, n := range []string{"amqps", "mqtts", "stomps"} {
			secure(n, n, "")
			secure(n+"-cert", n, ", auth: [cert]")
		}
		secure("mqtts-open", "mqtts", ", anonymous: true")
	}
	text := listeners.String() + strings.ReplaceAll(users, "HASH", secret) + more
	return &house{rig.Start(t, rig.Options{File: text, Names: names, Memory: true, User: "boss", Pass: "secret"})}
}

// must is Dial for logins that have to succeed.
func (h *house) must(protocol, user, id string, on func(dial.Message)) dial.Conn {
	h.Helper()
	c, err := h.Dial(protocol, user, "secret", id, on)
	if err != nil {
		h.Fatalf("%s as %s: %v", protocol, user, err)
	}
	return c
}
