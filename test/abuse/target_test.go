package abuse

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/test/rig"
)

// TestAttackTarget plays the rows against another broker: ATTACK_TARGET=mqtt://host:port (or stomp://, amqp://, coap://,
// mqttsn://). It looks at answers and at whether a client that behaves is served all the while, and writes what it saw to
// stdout; another broker may have reasons of its own, so a difference is no failure of the test.
func TestAttackTarget(t *testing.T) {
	at := os.Getenv("ATTACK_TARGET")
	if at == "" {
		return // TestTheGatewayPassesAsATarget is the same against this one
	}
	u, err := url.Parse(at)
	if err != nil || u.Host == "" {
		t.Fatalf("ATTACK_TARGET=%s is no URL: %v", at, err)
	}
	results, err := outside(u.Scheme, u.Host, 3*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	fmt.Printf("%-7s  %-45s  %-40s  %s\n", "", "row", "expected", "seen")
	for _, r := range results {
		word := r.verdict()
		count[word]++
		fmt.Printf("%-7s  %-45s  %-40s  %s\n", word, r.id, short40(r.want), short40(r.got))
	}
	fmt.Printf("%s: of %d rows %d pass, %d are refused in other words, %d fail\n", at, len(results), count["pass"], count["other"], count["fail"])
}

// TestTheGatewayPassesAsATarget: what is expected of others holds for this one.
func TestTheGatewayPassesAsATarget(t *testing.T) {
	g := start(t)
	for _, on := range []string{"mqtt", "stomp", "amqp", "coap", "mqttsn"} {
		results, err := outside(on, g.At[on], rig.Patience)
		if err != nil {
			t.Errorf("%s: %v", on, err)
		}
		for _, r := range results {
			if !r.ok {
				t.Errorf("%s: %s: it said %q, want %q", on, r.id, r.got, r.want)
			}
		}
		if len(results) < 20 {
			t.Errorf("%s: only %d rows", on, len(results))
		}
	}
}

// seen is what came of a row.
type seen struct {
	id, want, got string
	ok            bool
}

// verdict is pass for the expected answer, other where the bad part was refused in other words or by closing the connection,
// fail where the connection is still open, or somebody else was not served.
func (s seen) verdict() string {
	switch {
	case s.ok:
		return "pass"
	case strings.HasSuffix(s.got, "no end"), strings.HasSuffix(s.want, "is served"):
		return "fail"
	}
	return "other"
}

// outside plays the rows of a protocol; a connection that has not ended after that long has not been ended.
func outside(on, addr string, wait time.Duration) (all []seen, err error) {
	g := &target{Gateway: &rig.Gateway{At: map[string]string{on: addr}}}
	i := slices.IndexFunc(surfaces, func(h healthy) bool { return h.on == on })
	if i < 0 {
		return nil, fmt.Errorf("%s: no protocol of the list", on)
	}
	well, err := g.admit(surfaces[i])
	if err != nil {
		return nil, fmt.Errorf("a healthy client is not served: %w", err)
	}
	defer well.leave()
	alive := func(id string) {
		payload := fmt.Sprintf("alive-%d.", len(all))
		err := well.send(well.publish(payload))
		if err == nil {
			err = well.awaitFor(payload, wait)
		}
		if err != nil {
			all = append(all, seen{id: id, want: "a client that behaves is served", got: err.Error()})
			well.leave()
			if well, err = g.admit(surfaces[i]); err != nil {
				all = append(all, seen{id: id, want: "a new client is served", got: err.Error()})
			}
		}
	}
	for _, table := range tables {
		if table.on != on {
			continue
		}
		for _, v := range table.rows {
			for _, b := range v.of {
				got, err := g.playFor(on, b, wait)
				if err != nil {
					got = strings.TrimPrefix(got+", "+err.Error(), ", ")
				}
				all = append(all, seen{b.id, v.want, got, got == v.want})
				alive(b.id)
			}
		}
	}
	for _, e := range endpoints {
		if e.on != on {
			continue
		}
		for _, r := range e.rows {
			got, err := g.exchangeFor(on, r, e.last, e.reply, e.says, wait)
			if err != nil {
				got = strings.TrimPrefix(got+", "+err.Error(), ", ")
			}
			all = append(all, seen{r.id, r.want, got, got == r.want})
			alive(r.id)
		}
	}
	return all, nil
}

// playFor is one row; that a connection is still open after the time is an answer too.
func (g *target) playFor(on string, b bad, wait time.Duration) (string, error) {
	c, err := g.dial(on)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(wait))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		c.play(b) //nolint:errcheck // what is not sent shows in the answer
	}()
	got, err := c.answer()
	c.SetWriteDeadline(time.Now())
	<-sent
	var late net.Error
	switch {
	case err == nil, reset(err):
		return got, nil
	case errors.As(err, &late) && late.Timeout():
		return strings.TrimPrefix(got+", no end", ", "), nil
	}
	return got, err
}

func short40(s string) string {
	switch {
	case s == "":
		return "closed"
	case len(s) > 40:
		return s[:30] + "... " + fmt.Sprint(len(s))
	}
	return s
}
