package coap

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

func etag(t *testing.T, m *message.Message) string {
	t.Helper()
	v, ok := m.Options.First(message.ETag)
	if !ok || len(v) != 8 {
		t.Fatalf("ETag of 8 octets expected: %v", m)
	}
	return string(v)
}

func TestCoAP_Section5_POSTDoesNotRetainUnlessAsked(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.Changed, message.POST, "ps/a", payload("1"))
		c.expect(message.NotFound, message.GET, "ps/a")
		etag(t, c.expect(message.Changed, message.POST, "ps/a?retain=true", payload("2")))
		c.expect(message.Content, message.GET, "ps/a")
		c.expect(message.Changed, message.PUT, "ps/b?retain=false", payload("3"))
		c.expect(message.NotFound, message.GET, "ps/b")
	})
}

func TestCoAP_R5_TopicIsThePathBehindThePrefix(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/#?env=raw", "o")
		for path, topic := range map[string]string{"ps/a/b": "a/b", "ps//a": "/a", "ps/a/": "a/", "ps/%2B": "%2B"} {
			c.publish(path, "x", non)
			c.must()
			c.another().expect(message.Created, message.PUT, path+"?qos=0", payload(topic))
			c.must()
			d.Turn(func(tn *core.Turn) {
				m, r := c.ep.peers[source{addr: c.Addr}].identities[0].session.Retained(tn, topic)
				if r != core.OK || string(m.Payload) != topic {
					t.Errorf("%s: %v", topic, r)
				}
			})
		}
		m := c.build(message.PUT, "ps", payload("x"))
		m.Options.Add(message.URIPath, []byte("a/b"))
		m.Options.Add(message.URIPath, []byte("c"))
		c.send(m)
		c.RecvAll()
		d.Turn(func(tn *core.Turn) {
			if _, r := c.ep.peers[source{addr: c.Addr}].identities[0].session.Retained(tn, "a%2Fb/c"); r != core.OK {
				t.Errorf("a%%2Fb/c: %v", r)
			}
		})
	})
}

func TestCoAP_R5_WildcardsAreForObserveOnly(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		for _, method := range []message.Code{message.GET, message.PUT, message.POST, message.DELETE} {
			c.expect(message.BadRequest, method, "ps/a/+")
			c.expect(message.BadRequest, method, "ps/#")
		}
		c.expect(message.BadRequest, message.GET, "ps/#/a", observe(0))
		c.expect(message.BadRequest, message.PUT, "ps/a+b")
		c.register("ps/+/b/#", "o")
		c.publish("ps/a/b", "1", non)
		c.publish("ps/x/b/c/d", "2", non)
		c.publish("ps/x/c", "3", non)
		if n := len(c.RecvAll()); n != 2 {
			t.Errorf("%d notifications", n)
		}
		c.expect(message.BadRequest, message.PUT, "ps/")
		c.expect(message.Forbidden, message.PUT, "ps/$SYS/x")
	})
}

func TestCoAP_R7_ETagFollowsTheValue(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		e1 := etag(t, c.expect(message.Created, message.PUT, "ps/a", payload("v")))
		if e := etag(t, c.expect(message.Content, message.GET, "ps/a")); e != e1 {
			t.Errorf("%x and %x", e, e1)
		}
		m := c.expect(message.Valid, message.GET, "ps/a", opt(message.ETag, "stale"), opt(message.ETag, e1))
		if etag(t, m) != e1 || len(m.Payload) != 0 {
			t.Error(m)
		}
		absent(t, m, message.ContentFormat)
		e2 := etag(t, c.expect(message.Changed, message.PUT, "ps/a", payload("v")))
		if e2 == e1 {
			t.Error("the same ETag for another revision")
		}
		c.expect(message.Content, message.GET, "ps/a", opt(message.ETag, e1))
	})
}

func TestCoAP_R8_ConditionsAreDecidedWithTheWrite(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.PreconditionFailed, message.PUT, "ps/a", opt(message.IfMatch, ""), payload("1"))
		c.expect(message.Created, message.PUT, "ps/a", opt(message.IfNoneMatch, ""), payload("1"))
		c.expect(message.PreconditionFailed, message.PUT, "ps/a", opt(message.IfNoneMatch, ""), payload("2"))
		e := etag(t, c.expect(message.Content, message.GET, "ps/a"))
		one := c.ask(message.PUT, "ps/a", opt(message.IfMatch, "other"), opt(message.IfMatch, e), payload("2"))
		two := c.another().ask(message.PUT, "ps/a", opt(message.IfMatch, e), payload("3"))
		if one.Code != message.Changed || two.Code != message.PreconditionFailed {
			t.Fatalf("two that race: %v %v", one, two)
		}
		c.expect(message.Changed, message.PUT, "ps/a", opt(message.IfMatch, ""), payload("4"))
		c.expect(message.PreconditionFailed, message.POST, "ps/a", opt(message.IfMatch, e), payload("5"))
		c.expect(message.Changed, message.POST, "ps/a", opt(message.IfMatch, ""), payload("5"))
		c.expect(message.PreconditionFailed, message.DELETE, "ps/a", opt(message.IfMatch, e))
		c.expect(message.PreconditionFailed, message.DELETE, "ps/a", opt(message.IfNoneMatch, ""))
		c.expect(message.Deleted, message.DELETE, "ps/a", opt(message.IfMatch, ""))
		c.expect(message.PreconditionFailed, message.DELETE, "ps/a", opt(message.IfMatch, ""))
	})
}

func TestCoAP_R9_AcceptAndContentFormat(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		for _, f := range []uint32{0, 50, 60, 47, 65000} {
			c.ask(message.PUT, "ps/a", optUint(message.ContentFormat, f), payload("v"))
			if m := c.expect(message.Content, message.GET, "ps/a"); uintOption(t, m, message.ContentFormat) != f {
				t.Error(m)
			}
			c.expect(message.Content, message.GET, "ps/a", optUint(message.Accept, f))
			c.expect(message.NotAcceptable, message.GET, "ps/a", optUint(message.Accept, f+1))
		}
		c.ask(message.PUT, "ps/a", payload("v"))
		absent(t, c.expect(message.Content, message.GET, "ps/a"), message.ContentFormat)
		c.expect(message.Content, message.GET, "ps/a", optUint(message.Accept, 42))
		c.expect(message.NotAcceptable, message.GET, "ps/a", optUint(message.Accept, 0))
		c.expect(message.NotAcceptable, message.GET, "ps/a", optUint(message.Accept, 0), observe(0))
	})
}

func TestCoAP_R10_EmptyPayloadClears(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.Created, message.PUT, "ps/a", payload("v"))
		c.register("ps/a", "o")
		x := c.another()
		x.expect(message.Changed, message.PUT, "ps/a")
		if m := c.must(); len(m.Payload) != 0 || m.Code != message.Content {
			t.Fatal(m)
		}
		x.expect(message.NotFound, message.GET, "ps/a")
		x.expect(message.Changed, message.POST, "ps/a")
	})
}

func TestCoAP_R11_BadQueryIsRefusedAndUnknownIgnored(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.BadRequest, message.PUT, "ps/a?qos=3", payload("v"))
		c.expect(message.BadRequest, message.GET, "ps/a?rh=x")
		c.expect(message.Created, message.PUT, "ps/a?colour=red", payload("v"))
	})
}

func TestCoAP_R12_EnvelopeTellsTheTopic(t *testing.T) {
	t.Parallel()
	script(t, Config{QueryProperties: []string{"unit"}}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/+?env=cbor", "o")
		x := c.another()
		x.expect(message.Changed, message.POST, "ps/t?qos=0&reply=r/1&cid=77&up.unit=C&up.no=1&ct=text/csv", payload("22"))
		m := c.must()
		if uintOption(t, m, message.ContentFormat) != 60 {
			t.Fatal(m)
		}
		var w wrapped
		if err := unwrap(m.Payload, &w); err != nil {
			t.Fatal(err)
		}
		if w.Topic != "t" || string(w.Payload) != "22" || w.QoS != 0 || w.Retain || w.ContentType != "text/csv" ||
			fmt.Sprint(w.Properties) != "[[unit C]]" || w.ReplyTo != "r/1" || string(w.Correlation) != "77" {
			t.Fatalf("%+v", w)
		}
		x.expect(message.Created, message.PUT, "ps/t", payload("v"))
		m = x.expect(message.Content, message.GET, "ps/t?env=cbor")
		if err := unwrap(m.Payload, &w); err != nil || !w.Retain || w.QoS != 1 {
			t.Fatalf("%v %+v", err, w)
		}
		x.expect(message.NotAcceptable, message.GET, "ps/t?env=cbor", optUint(message.Accept, 50))
	})
}

func TestCoAP_Section8_ExpiryBoundsMaxAgeAndEndsTheValue(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.Created, message.PUT, "ps/a?expiry=90", payload("v"))
		if m := c.expect(message.Content, message.GET, "ps/a"); uintOption(t, m, message.MaxAge) != 60 {
			t.Error(m)
		}
		d.Advance(60500 * time.Millisecond)
		if m := c.expect(message.Content, message.GET, "ps/a"); uintOption(t, m, message.MaxAge) != 30 {
			t.Error(m)
		}
		d.Advance(29400 * time.Millisecond)
		if m := c.expect(message.Content, message.GET, "ps/a"); uintOption(t, m, message.MaxAge) != 1 {
			t.Error(m)
		}
		d.Advance(200 * time.Millisecond)
		c.expect(message.NotFound, message.GET, "ps/a")
	})
}

func TestCoAP_Section8_QoSOfAPublication(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string][2]uint8{"": {1, 0}, "0": {0, 0}, "2": {2, 2}} {
		script(t, Config{PublishQoS: setting}, func(d *adaptertest.Driver, c *client) {
			for i, o := range []option{func(*message.Message) {}, non} {
				c.ask(message.PUT, "ps/a", payload("v"), o)
				m := c.expect(message.Content, message.GET, "ps/a?env=cbor")
				var w wrapped
				if err := unwrap(m.Payload, &w); err != nil || w.QoS != want[i] {
					t.Errorf("%q, %d: %+v", setting, i, w)
				}
			}
			c.ask(message.PUT, "ps/a?qos=2", payload("v"), non)
			var w wrapped
			if err := unwrap(c.ask(message.GET, "ps/a?env=cbor").Payload, &w); err != nil || w.QoS != 2 {
				t.Errorf("qos=2: %+v", w)
			}
		})
	}
}

func TestCoAP_Section8_NoLocal(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a?nl=1", "o")
		c.expect(message.Changed, message.POST, "ps/a?qos=0", payload("mine"))
		c.silent()
		c.publish("ps/a", "theirs", non)
		if m := c.must(); string(m.Payload) != "theirs" {
			t.Fatal(m)
		}
	})
}

func TestCoAP_M1_AcknowledgedOnlyWhenTheCoreHasItSafe(t *testing.T) {
	t.Parallel()
	slow := &slowStore{Store: adaptertest.NewStore()}
	scriptWith(t, Config{}, adaptertest.Options{Store: slow}, func(d *adaptertest.Driver, c *client) {
		slow.delay = 5 * time.Second
		c.send(c.build(message.PUT, "ps/a", payload("v")))
		c.silent()
		m, after := c.until(100*time.Millisecond, 2*time.Second)
		if m == nil || m.Code != message.Empty || after > 1200*time.Millisecond {
			t.Fatalf("after %v: %v", after, m)
		}
		m, after = c.until(100*time.Millisecond, 10*time.Second)
		if m == nil || m.Type != message.CON || m.Code != message.Created || after < 3*time.Second {
			t.Fatalf("after %v: %v", after, m)
		}
		c.ack(m)
		slow.delay = 0
	})
}

func TestCoAP_Section8_StoreThatCannotWriteIsUnavailable(t *testing.T) {
	t.Parallel()
	slow := &slowStore{Store: adaptertest.NewStore()}
	scriptWith(t, Config{}, adaptertest.Options{Store: slow}, func(d *adaptertest.Driver, c *client) {
		slow.err = errors.New("disk full")
		m := c.ask(message.PUT, "ps/a", payload("v"))
		if m.Code != message.ServiceUnavailable || uintOption(t, m, message.MaxAge) == 0 {
			t.Fatal(m)
		}
		c.expect(message.ServiceUnavailable, message.PUT, "ps/a", payload("v"))
		c.expect(message.Changed, message.POST, "ps/a?qos=0", payload("v"))
	})
}

func TestCoAP_Section8_LargestBody(t *testing.T) {
	t.Parallel()
	script(t, Config{MaxBody: 100}, func(d *adaptertest.Driver, c *client) {
		m := c.expect(message.RequestEntityTooLarge, message.PUT, "ps/a", payload(strings.Repeat("x", 101)))
		if uintOption(t, m, message.Size1) != 100 {
			t.Fatal(m)
		}
		c.expect(message.Created, message.PUT, "ps/a", payload(strings.Repeat("x", 100)))
	})
}

func TestSecurity_L22_BeyondTheRateOfItsNamespaceARequestIsTooMany(t *testing.T) {
	t.Parallel()
	o := adaptertest.Options{Core: func(o *core.Options) {
		o.Tenants = map[string]core.Tenant{core.DefaultNamespace: {Quota: core.Quotas{PublishRate: 2}}}
	}}
	scriptWith(t, Config{}, o, func(d *adaptertest.Driver, c *client) {
		c.expect(message.Changed, message.POST, "ps/a", payload("1"))
		c.expect(message.Changed, message.POST, "ps/a", payload("2"))
		c.expect(message.TooManyRequests, message.POST, "ps/a", payload("3"))
		c.expect(message.NotFound, message.GET, "ps/a") // reading is no publish
		d.Advance(time.Second)
		c.expect(message.Changed, message.POST, "ps/a", payload("4"))
	})
}
