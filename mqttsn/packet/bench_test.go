package packet

import "testing"

var publish = Publish{QoS: 1, TopicID: 1025, MsgID: 3, Data: make([]byte, 64)}

func BenchmarkParsePublish(b *testing.B) {
	wire := publish.AppendTo(nil)
	b.ReportAllocs()
	for b.Loop() {
		_, body, err := Open(wire)
		if err != nil {
			b.Fatal(err)
		}
		if p, err := ParsePublish(body); err != nil || p.MsgID != 3 {
			b.Fatal(p, err)
		}
	}
}

func BenchmarkAppendPublish(b *testing.B) {
	buf := make([]byte, 0, 128)
	b.ReportAllocs()
	for b.Loop() {
		buf = publish.AppendTo(buf[:0])
	}
}

func TestParsingAndAppendingDoNotAllocate(t *testing.T) {
	wire, buf := publish.AppendTo(nil), make([]byte, 0, 128)
	n := testing.AllocsPerRun(100, func() {
		_, body, _ := Open(wire)
		p, _ := ParsePublish(body)
		buf = p.AppendTo(buf[:0])
		buf = TopicAck{PUBACK, p.TopicID, p.MsgID, Accepted}.AppendTo(buf[:0])
	})
	if n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
