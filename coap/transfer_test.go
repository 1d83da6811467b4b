package coap

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
)

func blockOf(t *testing.T, m *message.Message, n message.Number) message.Block {
	t.Helper()
	return message.MakeBlock(uintOption(t, m, n))
}

// fetch reads a body block by block and checks that it stays one value.
func (c *client) fetch(method message.Code, path string, szx uint8, options ...option) string {
	c.t.Helper()
	got, tag := "", ""
	for num := uint32(0); ; num++ {
		m := c.expect(message.Content, method, path, append(options, token(fmt.Sprint(num%10)), optBlock(message.Block2, num, false, szx))...)
		if e := etag(c.t, m); num > 0 && e != tag {
			c.t.Fatalf("block %d has another ETag", num)
		} else {
			tag = e
		}
		got += string(m.Payload)
		if b := blockOf(c.t, m, message.Block2); b.Num != num || b.SZX != szx {
			c.t.Fatalf("block %d: %v", num, b)
		} else if !b.More {
			return got
		}
	}
}

func TestCoAP_B1_BlockwisePutAndGet(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		body := strings.Repeat("0123456789abcdef", 1000)
		m := c.put("ps/big", body, optUint(message.ContentFormat, 0))
		if m.Code != message.Created || blockOf(t, m, message.Block1).Num != 15 {
			t.Fatal(m)
		}
		for szx := range uint8(7) { // early negotiation (B11), down to SZX 0 (Q11)
			if got := c.fetch(message.GET, "ps/big", szx); got != body {
				t.Fatalf("SZX %d: %d octets", szx, len(got))
			}
		}
		m = c.expect(message.Content, message.GET, "ps/big") // late negotiation
		if b := blockOf(t, m, message.Block2); !b.More || b.SZX != 6 || uintOption(t, m, message.Size2) != uint32(len(body)) {
			t.Fatal(m)
		}
		if m = c.expect(message.Content, message.GET, "ps/big", optUint(message.Size2, 0)); uintOption(t, m, message.Size2) != uint32(len(body)) {
			t.Fatal(m)
		}
		c.expect(message.BadRequest, message.GET, "ps/big", optBlock(message.Block2, 16, false, 6)) // B9
		if n := d.Host.Metrics.Counter("coap_block_errors_total", "beyond the end").Load(); n != 1 {
			t.Errorf("%d counted", n)
		}
	})
}

func TestCoAP_B1_IntermediateBlocksAreContinued(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		part := strings.Repeat("x", 64)
		m := c.expect(message.Continue, message.PUT, "ps/a", payload(part), optBlock(message.Block1, 0, true, 2))
		if b := blockOf(t, m, message.Block1); b.Num != 0 || !b.More || b.SZX != 2 {
			t.Fatal(m)
		}
		c.expect(message.NotFound, message.GET, "ps/a")
		m = c.expect(message.Created, message.PUT, "ps/a", payload("end"), optBlock(message.Block1, 1, false, 2))
		etag(t, m)
		m = c.expect(message.Created, message.PUT, "ps/a", payload("end"), optBlock(message.Block1, 1, false, 2)) // B3: same answer
		if got := c.expect(message.Content, message.GET, "ps/a"); string(got.Payload) != part+"end" || etag(t, got) != etag(t, m) {
			t.Fatal(got)
		}
	})
}

func TestCoAP_B2_RequestTagsKeepBodiesApart(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		put := func(tag, body string, num uint32, more bool) *message.Message {
			return c.ask(message.PUT, "ps/a", payload(body), opt(message.RequestTag, tag), token(body[:1]), optBlock(message.Block1, num, more, 0))
		}
		one, two := strings.Repeat("1", 16), strings.Repeat("2", 16)
		put("x", one, 0, true)
		put("y", two, 0, true)
		if m := put("x", "1", 1, false); m.Code != message.Created {
			t.Fatal(m)
		}
		if m := c.expect(message.Content, message.GET, "ps/a"); string(m.Payload) != one+"1" {
			t.Fatal(m)
		}
		if m := put("y", "2", 1, false); m.Code != message.Changed {
			t.Fatal(m)
		}
		if m := c.expect(message.Content, message.GET, "ps/a"); string(m.Payload) != two+"2" {
			t.Fatal(m)
		}
	})
}

func TestCoAP_B3_B4_B7_BadBlocks(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		part := strings.Repeat("x", 16)
		c.expect(message.RequestEntityIncomplete, message.PUT, "ps/a", payload(part), optBlock(message.Block1, 1, true, 0))
		c.expect(message.BadRequest, message.PUT, "ps/a", payload("short"), optBlock(message.Block1, 0, true, 0))
		c.expect(message.Continue, message.PUT, "ps/a", payload(part), optBlock(message.Block1, 0, true, 0), optUint(message.ContentFormat, 0))
		c.expect(message.RequestEntityIncomplete, message.PUT, "ps/a", payload("x"), optBlock(message.Block1, 1, false, 0), optUint(message.ContentFormat, 50))
		c.expect(message.BadRequest, message.PUT, "ps/a", payload("x"), optBlock(message.Block1, 0, false, 7))
		c.expect(message.BadRequest, message.GET, "ps/a", optBlock(message.Block2, 0, false, 7))
	})
}

// RFC 7959, section 3.3: who asks for a later block of the answer to a PUT or POST
// wants nothing to be executed.
func TestCoAP_B14_ALaterBlockOfAnAnswerExecutesNothing(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.Created, message.PUT, "ps/a", payload("v"))
		for _, method := range []message.Code{message.PUT, message.POST, message.DELETE} {
			c.expect(message.RequestEntityIncomplete, method, "ps/a?retain=true", optBlock(message.Block2, 1, false, 2))
			c.expect(message.RequestEntityIncomplete, method, "ps/a?retain=true", payload("w"), optBlock(message.Block2, 1, false, 2))
		}
		if m := c.expect(message.Content, message.GET, "ps/a"); string(m.Payload) != "v" {
			t.Fatal(m)
		}
		c.expect(message.Changed, message.PUT, "ps/a", payload("w"), optBlock(message.Block2, 0, false, 2)) // an early negotiation
	})
}

func TestCoAP_B5_TooLargeIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	script(t, Config{MaxBody: 2000}, func(d *adaptertest.Driver, c *client) {
		part := payload(strings.Repeat("x", 1024))
		m := c.expect(message.RequestEntityTooLarge, message.PUT, "ps/a", part, optBlock(message.Block1, 0, true, 6), optUint(message.Size1, 5000))
		if uintOption(t, m, message.Size1) != 2000 {
			t.Fatal(m)
		}
		c.expect(message.Continue, message.PUT, "ps/a", part, optBlock(message.Block1, 0, true, 6))
		c.expect(message.RequestEntityTooLarge, message.PUT, "ps/a", part, optBlock(message.Block1, 1, true, 6))
	})
}

func TestCoAP_B6_SmallerBlocksAreAskedFor(t *testing.T) {
	t.Parallel()
	script(t, Config{BlockSize: 64}, func(d *adaptertest.Driver, c *client) {
		body := strings.Repeat("y", 256)
		m := c.expect(message.Continue, message.PUT, "ps/a", payload(body), optBlock(message.Block1, 0, true, 4))
		if b := blockOf(t, m, message.Block1); b.SZX != 2 {
			t.Fatal(m)
		}
		c.expect(message.Created, message.PUT, "ps/a", payload("end"), optBlock(message.Block1, 4, false, 2))
		if got := c.fetch(message.GET, "ps/a", 2); got != body+"end" {
			t.Fatalf("%d octets", len(got))
		}
	})
}

func TestCoAP_B12_ValuesNeverMix(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		x := c.another()
		x.put("ps/a", strings.Repeat("1", 3000))
		m := c.expect(message.Content, message.GET, "ps/a")
		first := etag(t, m)
		x.put("ps/a", strings.Repeat("2", 3000))
		m = c.expect(message.Content, message.GET, "ps/a", optBlock(message.Block2, 1, false, 6))
		if etag(t, m) != first || m.Payload[0] != '1' {
			t.Fatal("a block of the new value")
		}
		d.Advance(61 * time.Second) // block_ttl
		m = c.expect(message.Content, message.GET, "ps/a", optBlock(message.Block2, 2, false, 6))
		if etag(t, m) == first || m.Payload[0] != '2' {
			t.Fatal("the old value is held too long")
		}
	})
}

func TestCoAP_B13_TransfersAreBounded(t *testing.T) {
	t.Parallel()
	script(t, Config{BlocksPerEndpoint: 3}, func(d *adaptertest.Driver, c *client) {
		part := payload(strings.Repeat("x", 16))
		for i := range 3 {
			c.expect(message.Continue, message.PUT, fmt.Sprintf("ps/%d", i), part, optBlock(message.Block1, 0, true, 0))
		}
		m := c.expect(message.ServiceUnavailable, message.PUT, "ps/3", part, optBlock(message.Block1, 0, true, 0))
		uintOption(t, m, message.MaxAge)
	})
}

func TestCoAP_S8_NeverFinishedBodiesStayWithinTheMemory(t *testing.T) {
	t.Parallel()
	script(t, Config{BlockMemory: 10_000}, func(d *adaptertest.Driver, c *client) {
		refused := 0
		part := payload(strings.Repeat("x", 1024))
		for range 30 {
			if m := c.another().ask(message.PUT, "ps/a", part, optBlock(message.Block1, 0, true, 6)); m.Code == message.ServiceUnavailable {
				refused++
			}
		}
		if used := c.ep.room.memory.used.Load(); used > 10_000 || refused == 0 {
			t.Fatalf("%d octets held, %d refused", used, refused)
		}
		d.Advance(10 * time.Minute)
		if used := c.ep.room.memory.used.Load(); used != 0 || len(c.ep.peers) != 0 {
			t.Fatalf("%d octets of %d peers held for ever", used, len(c.ep.peers))
		}
	})
}

func TestCoAP_B14_LargeRequestAndLargeAnswer(t *testing.T) {
	t.Parallel()
	bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
		body := strings.Repeat("0123456789", 150)
		c.expect(message.Continue, message.POST, "large", payload(body[:1024]), optBlock(message.Block1, 0, true, 6))
		m := c.expect(message.Content, message.POST, "large", payload(body[1024:]), optBlock(message.Block1, 1, false, 6))
		if b := blockOf(t, m, message.Block1); b.Num != 1 || b.More {
			t.Fatal(m)
		}
		got := string(m.Payload)
		for num := uint32(1); blockOf(t, m, message.Block2).More; num++ {
			m = c.expect(message.Content, message.POST, "large", optBlock(message.Block2, num, false, 6))
			got += string(m.Payload)
		}
		if got != body+body || x.executed != 1 {
			t.Fatalf("%d octets after %d executions", len(got), x.executed)
		}
	})
}
