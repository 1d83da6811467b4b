package abuse

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/entrepot/entrepot/test/rig"
)

// lasting is the property of a session that outlives its connection by an hour.
const lasting = "\x11\x00\x00\x0e\x10"

// store gives a user a session with a subscription and messages that wait, of QoS 2.
func (g *target) store(user, id, topic string, messages int) {
	g.Helper()
	c := g.join("mqtt", "\x90\x04\x00\x01\x00\x02", login5(0, id, user, "secret", lasting), mq(0x82, "\x00\x01\x00"+text(topic)+"\x02"))
	if err := c.send(over); err != nil {
		g.Fatal(err)
	}
	c.leave()
	all := ""
	for i := range messages {
		all += publish5(4, topic, u16(i+1), "", fmt.Sprintf("kept-%03d", i)) + "\x62\x02" + u16(i+1)
	}
	g.join("mqtt", "\x70\x02"+u16(messages), login5(2, "filler", "boss", "secret", ""), all).leave()
}

// fetch takes the session up again and checks that each message comes once.
func (g *target) fetch(user, id string, messages int) {
	g.Helper()
	c := g.join("mqtt", "\x20", login5(0, id, user, "secret", lasting))
	defer c.leave()
	for i := range messages {
		if err := c.await(fmt.Sprintf("kept-%03d", i)); err != nil {
			g.Fatal(err)
		}
		if strings.Contains(string(c.passed), "kept-") {
			g.Errorf("a message came twice before %d: %s", i, brief(string(c.passed)))
		}
	}
	if err := c.send(ping); err != nil {
		g.Fatal(err)
	}
	if err := c.await("\xd0\x00"); err != nil {
		g.Fatal(err)
	}
	if strings.Contains(string(c.passed), "kept-") {
		g.Error("a message came twice at the end")
	}
}

// TestSECURITY_F3_TakeoversByTheThousand: clients of one user take one session from each other as fast as they can connect.
// The gateway lets ten a second have it, and what waits in it is untouched.
func TestSECURITY_F3_TakeoversByTheThousand(t *testing.T) {
	const messages, sockets = 50, 16
	wanted := int64(size(15, 3000)) // how often the session is had
	attack{file: users(""), moved: []string{"session_takeovers", "mqtt_takeovers_delayed"}, logged: []string{"client.takenover", "client.disconnected taken over"}}.run(t, func(g *target) {
		g.store("dev", "shared", "open/x", messages)
		before, began := g.Metrics(), time.Now()
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		var had, told, superseded atomic.Int64
		socket := func() error {
			for ctx.Err() == nil {
				c, err := g.dial("mqtt")
				if err != nil {
					return err
				}
				unhook := context.AfterFunc(ctx, func() { c.Close() })
				// Receive Maximum 1, and nothing is acknowledged: nobody empties the queue.
				err = c.send(login5(0, "shared", "dev", "secret", lasting+"\x21\x00\x01"))
				c.SetDeadline(time.Now().Add(rig.Patience))
				said, ended := c.answer()
				unhook()
				c.Close()
				switch {
				case ctx.Err() != nil:
				case err != nil || ended != nil && !reset(ended):
					return fmt.Errorf("it said %q, %w, %w", said, err, ended)
				case strings.HasPrefix(said, "connack 00"):
					if strings.HasSuffix(said, "disconnect 8e") {
						told.Add(1)
					}
					if had.Add(1) == wanted {
						stop()
					}
				default:
					superseded.Add(1)
				}
			}
			return nil
		}
		crowd(t, sockets, slices.Repeat([]func() error{socket}, sockets))
		took := g.Metrics().Sum("session_takeovers") - before.Sum("session_takeovers")
		elapsed := time.Since(began)
		t.Logf("in %v %d had the session, %d of them were told when it was taken over, %d that another had come; %v takeovers", elapsed, had.Load(), told.Load(), superseded.Load(), took)
		if most := 10*elapsed.Seconds() + 12; float64(had.Load()) > most { // ten at once, and one that found it free
			t.Errorf("%v had it, at most %v may", had.Load(), most)
		}
		if told.Load() < wanted/2 || superseded.Load() < wanted {
			t.Error("that was no storm")
		}
		g.fetch("dev", "shared", messages)
	})
}

// TestSECURITY_F5_CleanStartsOfAnother: another user clean-starts the identifier again and again.
func TestSECURITY_F5_CleanStartsOfAnother(t *testing.T) {
	const messages = 20
	attack{file: users(""), moved: []string{"logins mqtt"}}.run(t, func(g *target) {
		g.store("dev", "shared", "open/x", messages)
		owner := g.join("mqtt", "\x90\x04\x00\x01\x00\x01", login5(2, "alive", "dev", "secret", ""), subscribe5(1, "", "open/alive"))
		defer owner.leave()
		again := func(id string) func() error {
			return func() error {
				for range size(500, 50_000) {
					if got, err := g.ask("mqtt", login5(2, id, "eve", "secret", lasting)+over); err != nil || got != "connack 00" {
						return fmt.Errorf("it said %q, %w", got, err)
					}
				}
				return nil
			}
		}
		crowd(t, 2, []func() error{again("shared"), again("alive")})
		if n := g.Metrics()[`entrepot_sessions{namespace="default",state="offline"}`]; n > 4 {
			t.Errorf("%v sessions are kept", n)
		}
		g.fetch("dev", "shared", messages)
		boss := g.must("mqtt", "boss", "boss", nil)
		if err := rig.Publish(boss, "open/alive", "still here"); err != nil {
			t.Fatal(err)
		}
		if err := owner.await("still here"); err != nil {
			t.Error(err)
		}
	})
}

// TestSECURITY_F2_WrongPasswordsTouchNothing: a clean start without a login does not end a session, nor does its will speak.
func TestSECURITY_F2_WrongPasswordsTouchNothing(t *testing.T) {
	const messages = 5
	attack{file: users("limits: {auth_failures: 1000000/min}\n"), moved: []string{"connects refused"}, logged: []string{"auth.denied"}}.run(t, func(g *target) {
		w := watch(g, "#")
		g.store("dev", "shared", "open/x", messages)
		for _, flags := range []byte{2, 6} {
			will := ""
			if flags == 6 {
				will = "\x00" + text("open/will") + text("loot")
			}
			g.asks("mqtt", mq(0x10, "\x00\x04MQTT\x05"+octet(0xc0|flags)+"\x00\x00\x00"+text("shared")+will+text("dev")+text("wrong")), "connack 86")
		}
		g.fetch("dev", "shared", messages)
		if w.Find("loot") != "" {
			t.Error("the will of nobody was published")
		}
	})
}

// TestSECURITY_F6_K3d_ADeviceOfTheTableIsTakenOverFromItsOwnAddressAlone: the table of clients names addresses, and another
// address with the identifier is refused while the owner goes on.
func TestSECURITY_F6_K3d_ADeviceOfTheTableIsTakenOverFromItsOwnAddressAlone(t *testing.T) {
	clients := rig.File(t, "clients.yaml", "- {client_id: \"sn-*\", from: [127.0.0.2], user: dev}\n- {client_id: \"healthy*\", from: [127.0.0.1], user: guest}\n- {client_id: \"newborn*\", from: [127.0.0.1], user: guest}\n")
	file := strings.Replace(users(""), `mqttsn://127.0.0.1:0", anonymous: true`, `mqttsn://127.0.0.1:0", clients: `+clients, 1)
	attack{file: file, moved: []string{"connects mqttsn refused"}}.run(t, func(g *target) {
		at, err := net.ResolveUDPAddr("udp", g.At["mqttsn"])
		if err != nil {
			t.Fatal(err)
		}
		from := func(ip string) *net.UDPConn {
			c, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip)}, at)
			if err != nil {
				t.Fatalf("%s is no address of this machine: %v", ip, err)
			}
			c.SetDeadline(time.Now().Add(rig.Patience))
			return c
		}
		say := func(c *net.UDPConn, b string) string {
			t.Helper()
			if _, err := c.Write([]byte(b)); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 1500)
			n, err := c.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			return saysSN(buf[:n])
		}
		owner, thief := from("127.0.0.2"), from("127.0.0.3")
		defer owner.Close()
		defer thief.Close()
		hello := sn(4, "\x04\x01\x00\x3csn-1")
		if got := say(owner, hello); got != "connack 00" {
			t.Errorf("the owner: %s", got)
		}
		if got := say(thief, hello); got != "connack 03" {
			t.Errorf("another address: %s", got)
		}
		if _, err := thief.Write([]byte(sn(0x16, "sn-1"))); err != nil {
			t.Fatal(err)
		}
		if got := say(thief, endpointOf("mqttsn").last); got != "gwinfo" && got != "disconnect" {
			t.Errorf("another address pings for it: %s", got)
		}
		if got := say(owner, sn(0x12, "\x00\x00\x01open/x")); got != "suback 00" {
			t.Errorf("the owner afterwards: %s", got)
		}
		if got := say(owner, sn(0x18, "")); got != "disconnect" {
			t.Errorf("the owner's end: %s", got)
		}
	})
}
