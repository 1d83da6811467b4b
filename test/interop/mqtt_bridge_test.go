package interop

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const typeSubAck = 9

// bridging are the settings of the bridges of Debian's mosquitto. Of 5.0 it asks no Session Expiry, so that the gateway
// keeps nothing for it while it is away, and what it repeats is new.
var bridging = []struct {
	name, version, private string
	lasts                  bool
}{
	{"3.1 with the bridge bit", "mqttv31", "true", true},
	{"3.1.1 with the bridge bit", "mqttv311", "true", true},
	{"5", "mqttv50", "false", false},
}

// A bridged pair is a gateway and a mosquitto that bridges m/# of its own to e/# of the gateway, and back.
type bridged struct {
	gateway *mortal
	way     *proxy // the bridge's
	clients *proxy // the way of clients of the gateway
	port    string // of mosquitto
	peer    mqttPeer

	subscribed chan struct{} // the bridge has
	ended      chan struct{} // mosquitto has
}

// wait waits until the bridge has subscribed, at the start and after each reconnection.
func (b *bridged) wait(t *testing.T) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-b.subscribed:
	case <-b.ended:
		t.Fatal("mosquitto ended")
	case <-late.C:
		t.Fatal("the bridge does not subscribe")
	}
}

// startBridge starts both and waits until the bridge has subscribed.
func startBridge(t *testing.T, version, private string, before func(b *bridged)) *bridged {
	t.Helper()
	b := &bridged{gateway: startMortal(t), peer: nodePeer(t), subscribed: make(chan struct{}, 64), ended: make(chan struct{})}
	b.way, b.clients = b.gateway.proxy(), b.gateway.proxy()
	b.way.watch(func(toClient bool, packet []byte) {
		if toClient && packet[0]>>4 == typeSubAck {
			b.subscribed <- struct{}{}
		}
	})
	before(b)
	dir := t.TempDir()
	config := filepath.Join(dir, "mosquitto.conf")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, b.port, _ = net.SplitHostPort(free.Addr().String())
	text := strings.Join([]string{"listener " + b.port + " 127.0.0.1", "allow_anonymous true", "max_queued_messages 0", "max_inflight_messages 1000", "log_type all", "connection interop", "address 127.0.0.1:" + b.way.port,
		"bridge_protocol_version " + version, "try_private " + private, "cleansession false", "notifications false", "restart_timeout 1 1", "topic # both 2 m/ e/", ""}, "\n")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(mosquittoServer(), "-c", config)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v; make setup installs it", err)
	}
	go func() {
		defer close(b.ended)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "Error") {
				t.Logf("mosquitto: %s", lines.Text())
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		<-b.ended
		_ = cmd.Wait()
	})
	b.wait(t)
	return b
}

// mosquittoServer is where Debian keeps it, which is not in everybody's PATH.
func mosquittoServer() string {
	if path, err := exec.LookPath("mosquitto"); err == nil {
		return path
	}
	return "/usr/sbin/mosquitto"
}

// here connects a client to mosquitto, there one to the gateway whose session outlives it.
func (b *bridged) here(t *testing.T) *mqttClient {
	t.Helper()
	s := &stage{flavour: flavourOf("npm-3.1.1"), peer: b.peer}
	return s.connect(t, options{url: s.at(b.port)})
}

func (b *bridged) there(t *testing.T) *mqttClient {
	t.Helper()
	s := &stage{flavour: flavourOf("npm-5"), peer: b.peer}
	return s.connect(t, options{url: s.at(b.clients.port), resumes: true, mqttRequest: mqttRequest{Reconnect: true}})
}

func flavourOf(name string) *flavour {
	for i := range flavours {
		if flavours[i].name == name {
			return &flavours[i]
		}
	}
	panic("no flavour " + name)
}

// gather counts texts until all of a burst have come.
func gather(t *testing.T, c *mqttClient, topic, prefix string, count int, times map[string]int) {
	t.Helper()
	for have := 0; have < count; {
		m, ok := c.got.take(patience)
		if !ok {
			t.Fatalf("%s%d does not come to %s", prefix, have, topic)
		}
		if times[m.text()] > 0 {
			times[m.text()]++ // counted by the caller
			continue
		}
		if !strings.HasPrefix(m.text(), prefix) {
			t.Fatalf("%q came to %s, want %s%d", m.text(), topic, prefix, have)
		}
		if m.Topic != topic {
			t.Errorf("%s came as %s, want %s", m.text(), m.Topic, topic)
		}
		if m.text() != fmt.Sprint(prefix, have) { // [MQTT-4.6.0-6]
			t.Errorf("%s came as number %d", m.text(), have)
		}
		times[m.text()]++
		have++
	}
}

func TestMQTT_BridgeOfMosquitto(t *testing.T) {
	t.Parallel()
	for _, c := range bridging {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			const count = 100
			b := startBridge(t, c.version, c.private, func(b *bridged) {
				b.there(t).retain("e/kept before", "there", 1)
			})
			here, there, other := b.here(t), b.there(t), b.there(t)
			here.subscribe(2, "m/#")
			if m := here.next(); m.text() != "there" || m.Topic != "m/kept before" {
				t.Errorf("retained before: %+v", m)
			}
			there.subscribe(2, "e/#")
			there.expect("there")
			from, times := b.here(t), [4]map[string]int{{}, {}, {}, {}}
			for qos := range 3 {
				prefix := fmt.Sprintf("up %d ", qos)
				from.burst("m/up", prefix, qos, 0, count)
				gather(t, there, "e/up", prefix, count, times[0])
				gather(t, here, "m/up", prefix, count, times[1])
				prefix = fmt.Sprintf("down %d ", qos)
				other.burst("e/down", prefix, qos, 0, count)
				gather(t, here, "m/down", prefix, count, times[2])
				gather(t, there, "e/down", prefix, count, times[3])
			}
			for _, times := range times {
				for text, n := range times {
					if n > 1 {
						t.Errorf("%s came %d times", text, n) // a loop, or a repetition
					}
				}
			}
			from.retain("m/kept", "here", 1)
			there.expect("here")
			here.expect("here")
			other.retain("e/kept too", "there too", 1)
			here.expect("there too")
			there.expect("there too")
			late := b.there(t)
			late.subscribe(1, "e/kept")
			if m := late.next(); m.text() != "here" || !m.Retain {
				t.Errorf("retained there: %+v", m)
			}
			later := b.here(t)
			later.subscribe(1, "m/kept too")
			if m := later.next(); m.text() != "there too" || !m.Retain {
				t.Errorf("retained here: %+v", m)
			}
		})
	}
}

func TestMQTT_BridgeOfMosquittoAndKill9(t *testing.T) {
	t.Parallel()
	for _, c := range bridging {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			const count = 60
			b := startBridge(t, c.version, c.private, func(*bridged) {})
			here, there := b.here(t), b.there(t)
			here.subscribe(2, "m/down")
			there.subscribe(2, "e/up")
			from, other := b.here(t), b.there(t)
			up, down := map[string]int{}, map[string]int{}
			steps := handshake(false)
			if c.lasts {
				steps = append(steps, handshake(true)...)
			}
			for i, step := range steps {
				killed := b.way.at(step, b.gateway.slain(step))
				sent := make(chan error, 2)
				prefixUp, prefixDown := fmt.Sprintf("up %d ", i), fmt.Sprintf("down %d ", i)
				go func() { sent <- from.tryBurst("m/up", prefixUp, 2, 0, count) }()
				if c.lasts {
					go func() { sent <- other.tryBurst("e/down", prefixDown, 2, 0, count) }()
				}
				wait(t, killed, step)
				b.gateway.rise()
				b.wait(t)
				if !c.lasts {
					sent <- other.tryBurst("e/down", prefixDown, 2, 0, count)
				}
				for range 2 {
					if err := <-sent; err != nil {
						t.Fatalf("%v: %v", step, err)
					}
				}
				gather(t, there, "e/up", prefixUp, count, up)
				gather(t, here, "m/down", prefixDown, count, down)
			}
			for _, times := range []map[string]int{up, down} {
				for text, n := range times {
					if n > 1 && c.lasts {
						t.Errorf("%s came %d times", text, n)
					}
				}
			}
		})
	}
}
