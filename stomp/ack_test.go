package stomp

import (
	"fmt"
	"strings"
	"testing"
)

// fill puts n messages "1".."n" into a queue.
func fill(w *world, queue string, n int, headers ...string) {
	p := w.connect("1.2")
	for i := range n {
		p.say("SEND", append(append([]string{"destination:/queue/" + queue}, headers...), "", fmt.Sprint(i+1))...)
	}
	p.say("DISCONNECT")
	w.settle()
}

// left drains a queue and expects these bodies.
func left(w *world, queue string, want ...string) []received {
	w.t.Helper()
	p := w.connect("1.2")
	p.say("SUBSCRIBE", "id:left", "destination:/queue/"+queue)
	got := p.bodies(want...)
	p.say("DISCONNECT")
	w.settle()
	return got
}

func TestSTOMP_ST50_AutoNeedsNoACK(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		fill(w, "q", 3)
		p := w.connect("1.2")
		p.say("SUBSCRIBE", "id:1", "destination:/queue/q", "ack:auto")
		for _, m := range p.bodies("1", "2", "3") {
			if _, ok := m.header["ack"]; ok {
				t.Errorf("auto has an ack header: %v", m)
			}
		}
		p.gone()
		left(w, "q")
	})
}

func TestSTOMP_ST50_ClientIsCumulative(t *testing.T) {
	for _, headers := range [][]string{nil, {"persistent:true"}} {
		t.Run(fmt.Sprint(headers), func(t *testing.T) {
			in(t, DefaultConfig(), func(w *world) {
				fill(w, "q", 5, headers...)
				p := w.connect("1.2")
				p.say("SUBSCRIBE", "id:1", "destination:/queue/q", "ack:client")
				m := p.bodies("1", "2", "3", "4", "5")
				p.say("ACK", "id:"+m[2].header["ack"], "receipt:r")
				p.receipts("r")
				p.gone()
				for _, m := range left(w, "q", "4", "5") { // ST20
					if m.header["redelivered"] != "true" || m.header["x-delivery-count"] != "1" {
						t.Errorf("%v", m)
					}
				}
			})
		})
	}
}

func TestSTOMP_ST50_ClientIndividualSettlesOne(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		fill(w, "q", 3)
		p := w.connect("1.2")
		p.say("SUBSCRIBE", "id:1", "destination:/queue/q", "ack:client-individual")
		m := p.bodies("1", "2", "3")
		p.say("ACK", "id:"+m[1].header["ack"])
		p.none()
		p.gone()
		left(w, "q", "1", "3")
	})
}

func TestSTOMP_ST50_CumulativeACKStaysWithinItsSubscription(t *testing.T) {
	for scope, want := range map[string][]string{"subscription": {"1"}, "connection": nil} {
		t.Run(scope, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.AckScope = scope
			in(t, cfg, func(w *world) {
				fill(w, "a", 1)
				fill(w, "b", 1)
				p := w.connect("1.2")
				p.say("SUBSCRIBE", "id:a", "destination:/queue/a", "ack:client")
				p.bodies("1")
				p.say("SUBSCRIBE", "id:b", "destination:/queue/b", "ack:client")
				p.say("ACK", "id:"+p.bodies("1")[0].header["ack"])
				p.none()
				p.gone()
				left(w, "b")
				left(w, "a", want...)
			})
		})
	}
}

func TestSTOMP_ST51_TheIDIsFoundInEveryVersionsHeader(t *testing.T) {
	for version, names := range map[string][]string{
		"1.0": {"message-id", "id"}, "1.1": {"message-id", "id"}, "1.2": {"id", "ack", "message-id"},
	} {
		for _, name := range names {
			t.Run(version+name, func(t *testing.T) {
				in(t, DefaultConfig(), func(w *world) {
					fill(w, "q", 1)
					p := w.connect(version)
					p.say("SUBSCRIBE", "id:s:1", "destination:/queue/q", "ack:client")
					m := p.bodies("1")[0]
					if _, ok := m.header["ack"]; ok != (version == "1.2") {
						t.Errorf("ack header in %s: %v", version, m)
					}
					id := m.header["message-id"]
					if version != "1.0" {
						id = escaped(id)
					}
					p.say("ACK", name+":"+id, "subscription:s", "receipt:r")
					p.receipts("r")
					p.say("ACK", name+":"+id, "receipt:2")
					p.errorFrame("Message not found")
					left(w, "q")
				})
			})
		}
	}
}

// escaped writes colons as 1.1 and 1.2 do.
func escaped(s string) string {
	out := ""
	for _, r := range s {
		if r == ':' {
			out += `\c`
		} else {
			out += string(r)
		}
	}
	return out
}

func TestSTOMP_ST51_BadIDsAreRefused(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		for _, row := range []struct{ line, message string }{
			{"x:y", "Missing header"}, {"id:1", "Invalid header"}, {"id:T_1@@session-x@@1", "Invalid header"},
			{"id:T_1@@SESSION@@x", "Invalid header"}, {"id:X_1@@SESSION@@1", "Invalid header"}, {"id:T_1@@SESSION@@1", "Message not found"},
		} {
			p := w.connect("1.2")
			line := row.line
			line = strings.Replace(line, "SESSION", p.id, 1)
			p.say("ACK", line, "receipt:r")
			if f := p.errorFrame(row.message); f.header["receipt-id"] != "r" {
				t.Errorf("%v", f)
			}
		}
	})
}

func TestSTOMP_ST52_ST65_NACKGivesBackOrRejects(t *testing.T) {
	for _, version := range []string{"1.0", "1.1", "1.2"} {
		t.Run(version, func(t *testing.T) {
			in(t, DefaultConfig(), func(w *world) {
				fill(w, "q", 2)
				p := w.connect(version)
				p.say("SUBSCRIBE", "id:1", "destination:/queue/q", "ack:client-individual", "prefetch-count:1")
				m := p.bodies("1")[0]
				p.say("NACK", "id:"+m.header["message-id"])
				again := p.bodies("1")[0] // back to the head
				if again.header["redelivered"] != "true" || again.header["message-id"] == m.header["message-id"] {
					t.Errorf("%v", again)
				}
				p.say("NACK", "id:"+again.header["message-id"], "requeue:false")
				p.bodies("2") // the first is gone
				p.say("NACK", "id:1", "requeue:maybe")
				p.errorFrame("Invalid header")
				left(w, "q", "2")
			})
		})
	}
}

func TestSTOMP_ST52_NACKGoesToAnotherConsumerFirst(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		a, b := w.connect("1.2"), w.connect("1.2")
		a.say("SUBSCRIBE", "id:1", "destination:/queue/q", "ack:client-individual")
		w.settle()
		fill(w, "q", 1)
		m := a.bodies("1")[0]
		b.say("SUBSCRIBE", "id:1", "destination:/queue/q", "ack:client-individual")
		b.none()
		a.say("NACK", "id:"+m.header["ack"])
		if r := b.bodies("1")[0]; r.header["redelivered"] != "true" {
			t.Errorf("%v", r)
		}
		a.none()
	})
}

func TestSTOMP_ST52_NackRequeueCanBeTurnedOff(t *testing.T) {
	cfg := DefaultConfig()
	cfg.NackRequeue = false
	in(t, cfg, func(w *world) {
		fill(w, "q", 1)
		p := w.connect("1.2")
		p.say("SUBSCRIBE", "id:1", "destination:/queue/q", "ack:client")
		p.say("NACK", "id:"+p.bodies("1")[0].header["ack"])
		p.none()
		p.gone()
		left(w, "q")
	})
}

func TestSTOMP_ST53_ADeliveryMaySettleAfterItsSubscriptionEnded(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		p.say("SUBSCRIBE", "id:1", "destination:/topic/a", "ack:client")
		p.say("SEND", "destination:/topic/a", "", "1")
		p.say("SEND", "destination:/topic/a", "", "2")
		m := p.bodies("1", "2")
		p.say("UNSUBSCRIBE", "id:1")
		p.say("SUBSCRIBE", "id:1", "destination:/topic/a", "ack:client")
		p.say("SEND", "destination:/topic/a", "", "3")
		n := p.bodies("3")[0]
		if n.header["ack"] == m[0].header["ack"] {
			t.Error("an id was used again")
		}
		p.say("ACK", "id:"+m[1].header["ack"], "receipt:1") // cumulative within the ended one
		p.say("ACK", "id:"+n.header["ack"], "receipt:2")
		p.receipts("1", "2")
		p.say("ACK", "id:"+m[0].header["ack"])
		p.errorFrame("Message not found")
	})
}

func TestSTOMP_ST54_TheWindowHoldsOnTopicsAndQueues(t *testing.T) {
	for _, header := range []string{"prefetch-count:5", "activemq.prefetchSize:5", "consumer-window-size:5120"} {
		t.Run(header, func(t *testing.T) {
			in(t, DefaultConfig(), func(w *world) {
				p, pub := w.connect("1.2"), w.connect("1.2")
				p.say("SUBSCRIBE", "id:1", "destination:/topic/a", "ack:client-individual", header)
				for i := range 10 {
					pub.say("SEND", "destination:/topic/a", "", fmt.Sprint(i))
				}
				m := p.bodies("0", "1", "2", "3", "4")
				p.say("ACK", "id:"+m[3].header["ack"])
				p.bodies("5")
				p.say("ACK", "id:"+m[0].header["ack"])
				p.say("ACK", "id:"+m[1].header["ack"])
				p.bodies("6", "7")
			})
		})
	}
	t.Run("one at a time", func(t *testing.T) {
		in(t, DefaultConfig(), func(w *world) {
			fill(w, "q", 3)
			p := w.connect("1.2")
			p.say("SUBSCRIBE", "id:1", "destination:/queue/q", "ack:client", "consumer-window-size:0")
			p.bodies("1")
		})
	})
}

func TestSTOMP_MaxUnackedBoundsTheConnection(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxUnacked, cfg.Prefetch = 3, 3
	in(t, cfg, func(w *world) {
		fill(w, "a", 2)
		fill(w, "b", 4)
		p := w.connect("1.2")
		p.say("SUBSCRIBE", "id:a", "destination:/queue/a", "ack:client-individual")
		m := p.bodies("1", "2")
		p.say("SUBSCRIBE", "id:b", "destination:/queue/b", "ack:client-individual")
		p.bodies("1")
		p.say("ACK", "id:"+m[0].header["ack"])
		p.bodies("2") // of b: it waited for the whole connection
		p.say("UNSUBSCRIBE", "id:a")
		p.bodies("3")
	})
}

func TestSTOMP_ST61_ATransientQueueDropsTheOldest(t *testing.T) {
	cfg := DefaultConfig()
	cfg.QueueMax = 3
	in(t, cfg, func(w *world) {
		p, pub := w.connect("1.2"), w.connect("1.2")
		p.say("SUBSCRIBE", "id:1", "destination:/topic/a", "ack:client-individual", "prefetch-count:1")
		pub.say("SEND", "destination:/topic/a", "", "0")
		m := p.bodies("0")[0]
		for i := range 5 {
			pub.say("SEND", "destination:/topic/a", "", fmt.Sprint(i+1))
		}
		p.say("ACK", "id:"+m.header["ack"])
		p.bodies("4")
	})
}

func TestSTOMP_ST53_WhatNobodySettlesIsForgottenPastTheLimit(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxUnacked, cfg.Prefetch = 3, 3
	in(t, cfg, func(w *world) {
		p := w.connect("1.2")
		var first string
		for i := range 4 {
			p.say("SUBSCRIBE", fmt.Sprint("id:", i), "destination:/topic/a", "ack:client-individual")
			p.say("SEND", "destination:/topic/a", "", "x")
			id := p.bodies("x")[0].header["ack"]
			if i == 0 {
				first = id
			}
			p.say("UNSUBSCRIBE", fmt.Sprint("id:", i))
			if i == 3 {
				p.say("ACK", "id:"+id, "receipt:r")
				p.receipts("r")
			}
		}
		p.say("ACK", "id:"+first)
		p.errorFrame("Message not found")
	})
}
