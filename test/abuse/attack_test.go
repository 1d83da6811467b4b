package abuse

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/auth/password"
	"github.com/entrepot/entrepot/test/rig"
)

// An attack is a row of the list with a gateway of its own.
type attack struct {
	set    []string
	file   string   // the configuration's text; its listeners replace the usual ones
	moved  []string // counters that must have moved
	logged []string // each is a line of the log by its words
	except []string // surfaces whose healthy clients the settings would shut out
	held   int64    // what may be held afterwards beyond the usual
}

// flat is what may be left in memory of any attack.
const flat = 5 << 20

// run starts the gateway and healthy clients that go on all the while, attacks, and looks at what is left: what was counted
// and logged, that new clients are served, that nothing panicked, and that memory, goroutines and descriptors are what they
// were. It measures the process, so nothing runs beside it.
func (a attack) run(t *testing.T, act func(g *target)) {
	t.Helper()
	o := rig.Options{Listen: []string{"mqtt", "ws", "stomp", "amqp", "coap", "mqttsn", "http"}, Set: a.set, Alone: true}
	if a.file != "" {
		o.Listen, o.File, o.User, o.Pass = nil, a.file, "boss", "secret"
	}
	g := &target{Gateway: rig.Start(t, o)}
	p := g.pulse(a.except...)
	defer p.close()
	counted, before := g.Metrics(), rig.Measure()
	over, beaten := make(chan struct{}), make(chan error, 1)
	go func() { beaten <- p.until(over) }()
	act(g)
	g.HangUp()
	close(over)
	if err := <-beaten; err != nil {
		t.Errorf("meanwhile: %v", err)
	}
	if err := p.admits(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	for _, what := range a.moved {
		if err := g.Moves(what, counted); err != nil {
			t.Error(err)
		}
	}
	for _, words := range a.logged {
		if err := rig.Until("a line of the log with "+words, func() bool { return g.Log.Has(strings.Fields(words)...) }); err != nil {
			t.Error(err)
		}
	}
	g.sane(t, false)
	g.Flat(before, flat+a.held)
}

// until beats, a hundred times a second at most, until the attack is over.
func (p *pulse) until(over chan struct{}) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := p.beat(); err != nil {
			return err
		}
		select {
		case <-over:
			return nil
		case <-tick.C:
		}
	}
}

// size is how much of something an attack sends: the list's own number with ATTACK=full.
func size(bounded, full int) int {
	if os.Getenv("ATTACK") == "full" {
		return full
	}
	return bounded
}

// sockets is size for connections: both ends of each are descriptors of this process.
func sockets(bounded, full int) int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return bounded
	}
	return min(size(bounded, full), int(min(limit.Cur, 1<<20)/2)-512)
}

// users is a configuration with users, whose usual listeners serve healthy clients as well: anonymous ones and AMQP's guest.
func users(more string) string {
	var b strings.Builder
	b.WriteString("listeners:\n")
	for _, scheme := range []string{"mqtt", "ws", "stomp", "amqp", "coap", "mqttsn", "http"} {
		b.WriteString(`  - {url: "` + scheme + "://127.0.0.1:0\", anonymous: true}\n")
	}
	return b.String() + strings.NewReplacer("HASH", hash(), "GUEST", password.New([]byte("guest")).Text()).Replace(people+more)
}

const people = `
roles:
  anonymous: ["pubsub pu", "queue #"]
  all:  ["pubsub #", "pubsub $queue/#", "queue #", "sub $SYS/#", "admin admin"]
  some: ["pubsub own/{client}/#", "pubsub by/{user}/#", "pubsub open/#", "queue #", "pubsub $queue/mine", "deny sub open/secret/#", "deny pub open/secret/#"]
users:
  - {name: guest, role: [anonymous], password: "GUEST"}
  - {name: boss, role: [all], password: "HASH"}
  - {name: dev, role: [some], client_ids: ["*"], password: "HASH"}
  - {name: eve, role: [some], client_ids: ["*"], password: "HASH"}
`

func hash() string { return password.New([]byte("secret")).Text() }

// login5 is a CONNECT of MQTT 5.0 with a name and password; flags are beside those.
func login5(flags byte, id, user, pass, p string) string {
	return mq(0x10, "\x00\x04MQTT\x05"+octet(0xc0|flags)+"\x00\x00"+varint(len(p))+p+text(id)+text(user)+text(pass))
}

// ask plays one conversation and tells the answers.
func (g *target) ask(on, send string) (string, error) {
	c, err := g.dial(on)
	if err != nil {
		return "", err
	}
	defer c.Close()
	go c.send(send) //nolint:errcheck // what is not sent shows in the answer
	got, err := c.answer()
	if reset(err) {
		err = nil
	}
	return got, err
}

// asks is ask for a conversation whose answer is known.
func (g *target) asks(on, send, want string) {
	g.Helper()
	if got, err := g.ask(on, send); err != nil || got != want {
		g.Errorf("%s: it said %q, %v; want %q", brief(send), got, err, want)
	}
}

// join is a client that stays; the answers to its last step must hold the text.
func (g *target) join(on, answer string, steps ...string) *patient {
	g.Helper()
	c, err := g.admit(healthy{on: on, hello: steps, connected: answer, datagram: on == "coap" || on == "mqttsn"})
	if err != nil {
		if c != nil {
			c.leave()
		}
		g.Fatal(err)
	}
	return c
}

// leave ends it without a word.
func (c *patient) leave() {
	c.conn.Close()
	for range c.heard { // until its reader has ended
	}
}
