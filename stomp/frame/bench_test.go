package frame

import (
	"strings"
	"testing"
)

var sendFrame = []byte("SEND\ndestination:/topic/sensors/1/temperature\ncontent-type:application/json\n" +
	"receipt:msg-12345\ncorrelation-id:abc\ntrace:0123456789\nunit:celsius\npriority:4\ncontent-length:128\n\n" +
	strings.Repeat("x", 128) + "\x00")

func BenchmarkParseSend(b *testing.B) {
	p := &Parser{Version: V12}
	var f Frame
	b.ReportAllocs()
	b.SetBytes(int64(len(sendFrame)))
	for b.Loop() {
		if _, ok, err := p.Next(sendFrame, &f); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func BenchmarkParseSendInTwoPieces(b *testing.B) {
	p := &Parser{Version: V12}
	var f Frame
	b.ReportAllocs()
	for b.Loop() {
		p.Next(sendFrame[:100], &f)
		if _, ok, err := p.Next(sendFrame[100:], &f); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func BenchmarkAppendMessage(b *testing.B) {
	var f Frame
	if _, ok, err := (&Parser{Version: V12}).Next(sendFrame, &f); !ok || err != nil {
		b.Fatal(ok, err)
	}
	f.Command = Message
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = f.AppendTo(buf[:0], V12)
	}
}

func TestParsingAndWritingDoNotAllocate(t *testing.T) {
	p := &Parser{Version: V12}
	var f Frame
	buf := make([]byte, 0, 1024)
	n := testing.AllocsPerRun(100, func() {
		p.Next(sendFrame, &f)
		buf = f.AppendTo(buf[:0], V12)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
