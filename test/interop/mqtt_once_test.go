package interop

import (
	"fmt"
	"path/filepath"
	"testing"
)

// sever cuts the connection at a step.
func sever(s step) func() verdict {
	return func() verdict {
		if s.seen {
			return passCut
		}
		return cut
	}
}

func playOnceOut(t *testing.T, s *stage) {
	topic := fresh("q")
	entered, left := s.newLedger(t), s.newLedger(t)
	p, q := startProxy(t, s.server.port["mqtt"]), startProxy(t, s.server.port["mqtt"])
	p.book(entered, false)
	q.book(left, true)
	sub := s.connect(t, options{url: s.at(q.port)})
	sub.subscribe(2, topic)
	pub := s.connect(t, options{url: s.at(p.port), resumes: true, mqttRequest: mqttRequest{Reconnect: true}})
	got := receiver{sub, s.can&onceOut == 0, map[string]bool{}}
	for i, step := range handshake(false) {
		cutOff := p.at(step, sever(step))
		pub.publish(topic, fmt.Sprint("cut ", i), 2)
		wait(t, cutOff, step)
		pub.publish(topic, fmt.Sprint("after ", i), 2)
		got.expect(step, fmt.Sprint("cut ", i), fmt.Sprint("after ", i))
	}
	left.mustEqual(entered)
}

func playOnceIn(t *testing.T, s *stage) {
	topic := fresh("q")
	left := s.newLedger(t)
	left.strict = true
	p := startProxy(t, s.server.port["mqtt"])
	p.book(left, true)
	sub := s.connect(t, options{url: s.at(p.port), resumes: true, mqttRequest: mqttRequest{Reconnect: true}})
	sub.subscribe(2, topic)
	pub := s.connect(t, options{})
	got := receiver{sub, s.can&onceIn == 0, map[string]bool{}}
	want := s.newLedger(t)
	for i, step := range handshake(true) {
		cutOff := p.at(step, sever(step))
		pub.publish(topic, fmt.Sprint("cut ", i), 2)
		wait(t, cutOff, step)
		pub.publish(topic, fmt.Sprint("after ", i), 2)
		got.expect(step, fmt.Sprint("cut ", i), fmt.Sprint("after ", i))
		want.times[fmt.Sprint("cut ", i)], want.times[fmt.Sprint("after ", i)] = 1, 1
	}
	left.mustEqual(want)
}

// A mortal gateway is killed and started anew behind proxies.
type mortal struct {
	t       *testing.T
	args    []string
	running *process
	dead    bool
	proxies []*proxy
}

func startMortal(t *testing.T) *mortal {
	t.Helper()
	g := &mortal{t: t, args: []string{"serve", "--data", filepath.Join(t.TempDir(), "data"), "--log-format", "json", "--listen", "mqtt://127.0.0.1:0"}}
	g.running = launch(t, binary(t), g.args)
	t.Cleanup(func() {
		if !g.dead {
			g.running.stop(t)
		}
	})
	return g
}

// proxy is a way to the gateway that outlives it.
func (g *mortal) proxy() *proxy {
	g.t.Helper()
	p := startProxy(g.t, g.running.port["mqtt"])
	g.proxies = append(g.proxies, p)
	return p
}

// die is kill -9. Who connects from now on waits.
func (g *mortal) die() {
	for _, p := range g.proxies {
		p.lead("")
	}
	g.dead = true
	g.running.kill(g.t)
}

func (g *mortal) rise() {
	g.t.Helper()
	g.running, g.dead = launch(g.t, g.running.binary, g.args), false
	for _, p := range g.proxies {
		p.lead(g.running.port["mqtt"])
	}
}

// slain kills the gateway when it has, or its client has, not seen the packet of a step yet.
func (g *mortal) slain(s step) func() verdict {
	return func() verdict {
		g.die()
		if s.toClient && s.seen { // what the gateway sent before it died arrives all the same
			return passCut
		}
		return cut
	}
}

func playOnceKilled(t *testing.T, s *stage) {
	g := startMortal(t)
	entered, left := s.newLedger(t), s.newLedger(t)
	in, out := g.proxy(), g.proxy()
	in.book(entered, false)
	out.book(left, true)
	topic := fresh("q")
	sub := s.connect(t, options{url: s.at(out.port), resumes: true, mqttRequest: mqttRequest{Reconnect: true}})
	sub.subscribe(2, topic)
	got := receiver{sub, s.can&onceIn == 0 || s.can&onceOut == 0 || s.can&byDup != 0, map[string]bool{}}
	publisher := func() *mqttClient {
		return s.connect(t, options{url: s.at(in.port), resumes: true, mqttRequest: mqttRequest{Reconnect: true}})
	}
	if s.can&resumes != 0 {
		pub := publisher()
		for i, step := range handshake(false) {
			killed := in.at(step, g.slain(step))
			sent := make(chan error, 1)
			go func() { sent <- pub.tryPublish(topic, fmt.Sprint("in ", i)) }()
			wait(t, killed, step)
			g.rise()
			if err := <-sent; err != nil {
				t.Fatalf("%v: %v", step, err)
			}
			pub.publish(topic, fmt.Sprint("after in ", i), 2)
			got.expect(step, fmt.Sprint("in ", i), fmt.Sprint("after in ", i))
		}
	}
	for i, step := range handshake(true) {
		published := make(chan struct{})
		killed := out.at(step, func() verdict {
			<-published // the exchange with the publisher is over
			return g.slain(step)()
		})
		publisher().publish(topic, fmt.Sprint("out ", i), 2)
		close(published)
		wait(t, killed, step)
		g.rise()
		publisher().publish(topic, fmt.Sprint("after out ", i), 2)
		got.expect(step, fmt.Sprint("out ", i), fmt.Sprint("after out ", i))
	}
	left.mustEqual(entered)
}
