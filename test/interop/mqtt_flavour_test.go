package interop

import (
	"fmt"
	"os"
	"testing"
)

// ability is what a client's library can do and show, beyond what all can.
type ability uint32

const (
	resumes   ability = 1 << iota // reconnects by itself and repeats what it published
	comesBack                     // reconnects by itself as a receiver
	onceIn                        // recognises a repeated QoS 2 PUBLISH
	onceOut                       // repeats no PUBLISH after PUBREL
	byDup                         // recognises it by DUP alone
	seesAcks                      // shows the reason codes of PUBACK and PUBREC
	connects                      // connects without subscribing; else a connection lives from its first subscription on
	unsubscribes
	aliases        // sets topic aliases
	readsAlias     // understands them
	manyIDs        // shows more than one Subscription Identifier
	idless         // connects without a client identifier
	groups         // user properties of one name are one entry
	plain          // TCP, where a proxy can tell packets apart
	old            // not 5.0
	leavesWithWill // its farewell is DISCONNECT 04, which asks for the will
)

// library is what every library can; mosquitto's programs cannot.
const library = resumes | comesBack | onceIn | onceOut | connects | unsubscribes

// flavour is one way to speak MQTT: a client, a version and a transport.
type flavour struct {
	name    string
	version int
	scheme  string
	can     ability
	start   func(t *testing.T) mqttPeer
}

var flavours = []flavour{
	{"mosquitto-3.1", 3, "mqtt", comesBack | onceIn | onceOut, startMosquitto},
	{"mosquitto-3.1.1", 4, "mqtt", comesBack | onceIn | onceOut, startMosquitto},
	{"mosquitto-5", 5, "mqtt", comesBack | onceIn | onceOut | seesAcks | manyIDs | leavesWithWill, startMosquitto},
	{"paho-go-3.1", 3, "mqtt", library &^ (onceIn | onceOut), goPeer("paho3")},
	{"paho-go-3.1.1", 4, "mqtt", library &^ (onceIn | onceOut), goPeer("paho3")},
	{"paho-go-3.1.1-ws", 4, "ws", library &^ (onceIn | onceOut), goPeer("paho3")},
	{"paho-go-5", 5, "mqtt", library | byDup | seesAcks | aliases | readsAlias | idless, goPeer("paho5")},
	{"paho-go-5-ws", 5, "ws", library | byDup | seesAcks | aliases | readsAlias | idless, goPeer("paho5")},
	{"python-3.1", 3, "mqtt", library, pythonPeer},
	{"python-3.1.1", 4, "mqtt", library, pythonPeer},
	{"python-3.1.1-ws", 4, "ws", library, pythonPeer},
	{"python-5", 5, "mqtt", library | aliases | readsAlias | manyIDs | idless, pythonPeer},
	{"python-5-ws", 5, "ws", library | aliases | readsAlias | manyIDs | idless, pythonPeer},
	{"npm-3.1", 3, "mqtt", library, nodePeer},
	{"npm-3.1.1", 4, "mqtt", library, nodePeer},
	{"npm-3.1.1-ws", 4, "ws", library, nodePeer},
	{"npm-5", 5, "mqtt", library | seesAcks | aliases | readsAlias | manyIDs | idless | groups, nodePeer},
	{"npm-5-ws", 5, "ws", library | seesAcks | aliases | readsAlias | manyIDs | idless | groups, nodePeer},
}

// abilities are those of the client, and of its version and transport.
func (f *flavour) abilities() ability {
	a := f.can
	if f.scheme == "mqtt" {
		a |= plain
	}
	if f.version < 5 {
		a |= old
	}
	return a
}

// goLibraries are driven by this binary itself, started anew.
var goLibraries = map[string]mqttLibrary{"paho3": newPahoGo3, "paho5": newPahoGo5}

func goPeer(name string) func(*testing.T) mqttPeer {
	return func(t *testing.T) mqttPeer { return startPeer(t, peerVariable+"="+name, os.Args[0]) }
}

func pythonPeer(t *testing.T) mqttPeer {
	return startPeer(t, "PYTHONUNBUFFERED=1", python(), "python/mqtt_peer.py")
}

func nodePeer(t *testing.T) mqttPeer {
	return startPeer(t, "NODE_ENV=test", "node", "node/mqtt_peer.js")
}

// A stage is where a scenario plays: a gateway, and a peer of one flavour.
type stage struct {
	*flavour
	server *server
	strict *server // whose keep alive is bounded
	peer   mqttPeer
}

// options are those of a connection; the zero value is a clean session with an identifier of its own.
type options struct {
	peer     mqttPeer // another process
	url      string   // another way to the gateway
	resumes  bool     // a session that lasts
	nameless bool     // without a client identifier
	mqttRequest
}

// connect opens a connection, and fails the test if it is refused.
func (s *stage) connect(t *testing.T, o options) *mqttClient {
	t.Helper()
	c, err := s.attempt(t, o)
	if err != nil || c.ack.Code != 0 {
		t.Fatalf("%s: connect: code %d, %v", c.name, c.ack.Code, err)
	}
	return c
}

func (s *stage) attempt(t *testing.T, o options) (*mqttClient, error) {
	t.Helper()
	if o.peer == nil {
		o.peer = s.peer
	}
	c := newClient(t, o.peer)
	r := o.mqttRequest
	r.Op, r.Version, r.Clean, r.URL = "connect", s.version, !o.resumes, o.url
	if r.URL == "" {
		r.URL = s.url(s.server)
	}
	if r.KeepAlive == 0 {
		r.KeepAlive = 60
	}
	if r.ID == "" && !o.nameless {
		r.ID = c.name
	}
	if o.resumes && r.Expiry == 0 && s.version == 5 {
		r.Expiry = 3600
	}
	var err error
	c.ack, err = c.ask(r)
	return c, err
}

func (s *stage) url(to *server) string {
	if s.scheme == "ws" {
		return to.url("ws", "/mqtt")
	}
	return to.url("mqtt", "")
}

// at is the flavour's way to a TCP port.
func (s *stage) at(port string) string {
	if s.scheme == "ws" {
		return "ws://127.0.0.1:" + port + "/mqtt"
	}
	return "mqtt://127.0.0.1:" + port
}

// fresh makes a name that nothing else uses.
func fresh(what string) string { return fmt.Sprintf("%s%d", what, serial.Add(1)) }

// A scenario is one thing that must hold for every flavour that can play it.
type scenario struct {
	name    string
	version int // the lowest
	needs   ability
	play    func(t *testing.T, s *stage)
}

var scenarios = []scenario{
	{"payloads and topics", 3, 0, playPayloads},
	{"retained", 3, 0, playRetained},
	{"retain handling", 5, unsubscribes, playRetainHandling},
	{"will of a killed client", 3, 0, playWill},
	{"will after its delay", 5, 0, playWillDelay},
	{"session", 3, 0, playSession},
	{"takeover", 3, connects, playTakeover},
	{"reconnect storm", 3, resumes, playStorm},
	{"exactly once, publishing", 3, resumes | plain, playOnceOut},
	{"exactly once, receiving", 3, comesBack | plain, playOnceIn},
	{"exactly once, the gateway is killed", 3, comesBack | plain, playOnceKilled},
	{"group", 3, 0, playGroup},
	{"group that members leave", 3, 0, playGroupLeave},
	{"properties", 5, 0, playProperties},
	{"request and response", 5, 0, playRequest},
	{"subscription identifiers", 5, connects, playIdentifiers},
	{"topic aliases", 5, aliases | readsAlias, playAliases},
	{"receive maximum 1", 5, 0, playReceiveMaximum},
	{"expiry", 5, connects, playExpiry},
	{"reason codes", 5, connects, playReasonCodes},
	{"refusals", 3, connects | old, playRefusals},
	{"assigned client identifier", 5, idless, playAssigned},
	{"server keep alive", 5, connects, playServerKeepAlive},
}

// TestMQTT plays every scenario with every client.
func TestMQTT(t *testing.T) {
	t.Parallel()
	all, strict := startServer(t), startServer(t, "--set", "mqtt.max_keepalive=7")
	for i := range flavours {
		f := &flavours[i]
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := &stage{flavour: f, server: all, strict: strict, peer: f.start(t)}
			for _, sc := range scenarios {
				if f.version < sc.version || f.abilities()&sc.needs != sc.needs {
					continue
				}
				t.Run(sc.name, func(t *testing.T) {
					t.Parallel()
					sc.play(t, s)
				})
			}
		})
	}
}
