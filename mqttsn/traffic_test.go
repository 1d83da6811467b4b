package mqttsn

import (
	"testing"
	"time"
)

// A client that sleeps, and one that is awake and silent, hold nothing of what
// they once sent and received when no repetition is waited for any more; but
// until then it is there.
func TestTrafficIsGivenBackWhenNoRepetitionIsWaitedFor(t *testing.T) {
	for name, sleeps := range map[string]bool{"asleep": true, "active": false} {
		t.Run(name, func(t *testing.T) {
			simulate(t, Config{}, func(s *sim) {
				d, w := s.registered("10.0.0.1:1000"), s.watch("a/b")
				p := s.e.first("cl1")
				if p.traffic != &s.e.quiet {
					t.Error("traffic of a client that only registered")
				}
				d.ask("08 0c 20 04 01 00 05 78", "07 0d 04 01 00 05 00")
				w.want("a/b=x q1")
				if sleeps {
					d.ask("04 18 02 58", "02 18")
				}
				s.sleep(40*time.Second - time.Millisecond)
				d.ask("08 0c a0 04 01 00 05 78", "07 0d 04 01 00 05 00") // P12
				w.want()
				s.sleep(11 * time.Second)
				if p.state == gone || p.traffic != &s.e.quiet {
					t.Errorf("%v, with traffic", p.state)
				}
				d.ask("08 0c 20 04 01 00 06 79", "07 0d 04 01 00 06 00")
				w.want("a/b=y q1")
			})
		})
	}
}

// What is in flight stays with a client that sleeps, and goes when it is done.
func TestWhatIsInFlightOutlivesASleep(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.subscribed("10.0.0.1:1000"), s.watch("")
		w.publish("a/b", "x")
		d.want("08 0c 20 04 01 00 01 78")
		d.ask("04 18 02 58", "02 18")
		p := s.e.first("cl1")
		s.sleep(time.Minute)
		if len(p.outbound.list) != 1 {
			t.Fatalf("%d in flight", len(p.outbound.list))
		}
		d.ask(wakeCl1, "08 0c a0 04 01 00 01 78")
		d.ask("07 0d 04 01 00 01 00", pingresp)
		if p.traffic != &s.e.quiet {
			t.Error("traffic of a client that has everything")
		}
	})
}

// Going to sleep forgives nobody what it owes.
func TestAnswersAreLimitedAcrossASleep(t *testing.T) {
	simulate(t, Config{UnsolicitedRate: 1}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		unknown, no := "08 0c 00 00 09 00 00 78", "07 0d 00 09 00 00 02"
		d.ask(unknown, no)
		d.ask(unknown, no)
		d.ask(unknown)
		for range 3 {
			d.ask("04 18 00 1e", "02 18")
			d.ask(wakeCl1, pingresp)
			d.ask(unknown)
		}
		s.sleep(2 * time.Second)
		if d.ask("04 18 00 1e", "02 18"); s.e.first("cl1").rare != &s.e.plain {
			t.Error("it is kept although nothing is owed")
		}
		d.ask(unknown, no)
		d.ask(unknown, no)
		d.ask(unknown)
	})
}
