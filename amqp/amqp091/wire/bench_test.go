package wire

import "testing"

func publishFrames(body []byte) []byte {
	p := Properties{Flags: FlagContentType | FlagDeliveryMode, ContentType: []byte("text/plain"), DeliveryMode: 1}
	h := Header{Class: 60, BodySize: uint64(len(body)), Properties: p.AppendTo(nil)}
	out := AppendMethodFrame(nil, 1, &BasicPublish{Exchange: []byte("amq.topic"), RoutingKey: []byte("a.b.c")})
	out = h.AppendFrame(out, 1)
	return AppendBody(out, 1, body, 131072)
}

type content struct {
	pub   BasicPublish
	head  Header
	props Properties
	body  int
}

func (c *content) take(f Frame) error {
	switch f.Type {
	case FrameMethod:
		return c.pub.Parse(f.Payload)
	case FrameHeader:
		if err := c.head.Parse(f.Payload); err != nil {
			return err
		}
		return c.props.Parse(c.head.Properties)
	}
	c.body += len(f.Payload)
	return nil
}

func parsePublish(in []byte, c *content) error {
	for len(in) > 0 {
		f, n, err := Scan(in, 131072)
		if err != nil {
			return err
		}
		if err := c.take(f); err != nil {
			return err
		}
		in = in[n:]
	}
	return nil
}

func BenchmarkParsePublish(b *testing.B) {
	in := publishFrames(make([]byte, 128))
	var c content
	b.ReportAllocs()
	for b.Loop() {
		if err := parsePublish(in, &c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendDeliver(b *testing.B) {
	place := []byte("\x09amq.topic\x05a.b.c")
	var tag uint64
	h := Header{Class: 60, BodySize: 128, Properties: []byte("\x10\x00\x01")}
	body := make([]byte, 128)
	out := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		tag++
		out = AppendDeliver(out[:0], 1, "ctag-1", tag, false, place)
		out = h.AppendFrame(out, 1)
		out = AppendBody(out, 1, body, 131072)
	}
}

func BenchmarkParseAck(b *testing.B) {
	in := AppendMethod(nil, &BasicAck{DeliveryTag: 9, Multiple: true})
	var m BasicAck
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Parse(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTableCheck(b *testing.B) {
	var t Table
	for _, n := range []string{"a", "bb", "ccc", "dddd"} {
		t = t.Append(n, Longstr("value"))
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := t.Check(); err != nil {
			b.Fatal(err)
		}
	}
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	in := publishFrames(make([]byte, 128))
	var c content
	if n := testing.AllocsPerRun(100, func() {
		if err := parsePublish(in, &c); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("parsing a publish: %v allocations", n)
	}
	place := []byte("\x09amq.topic\x05a.b.c")
	a := BasicAck{DeliveryTag: 1}
	out := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { out = a.AppendFrame(AppendDeliver(out[:0], 1, "c", 1, false, place), 1) }); n != 0 {
		t.Errorf("appending a deliver: %v allocations", n)
	}
}
