package coap

import (
	"fmt"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
)

func TestCoAP_R1_WellKnownCore(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.Created, message.PUT, "ps/a", payload("v"))
		m := c.expect(message.Content, message.GET, ".well-known/core")
		if string(m.Payload) != `</ps>;rt="core.ps core.ps.coll";ct=40` || uintOption(t, m, message.ContentFormat) != 40 {
			t.Fatal(m)
		}
		e := etag(t, m)
		c.expect(message.Valid, message.GET, ".well-known/core", opt(message.ETag, e))
		c.expect(message.NotAcceptable, message.GET, ".well-known/core", optUint(message.Accept, 50))
	})
}

func TestCoAP_R2_FiltersSelect(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		for query, want := range map[string]bool{
			"rt=core.ps.coll": true, "rt=core.ps": true, "rt=core.ps*": true, "rt=core.ps.conf": false, "href=/ps*": true, "href=/ps": true,
			"href=/p": false, "ct=40": true, "ct=4": false, "if=x": false, "rt=core.ps&href=/x": false, "rt=*": true, "title=*": false,
		} {
			m := c.expect(message.Content, message.GET, ".well-known/core?"+query)
			if got := len(m.Payload) > 0; got != want {
				t.Errorf("%s: %q", query, m.Payload)
			}
		}
	})
}

func TestCoAP_R1_TopicsAreListedOnlyIfAllowed(t *testing.T) {
	t.Parallel()
	script(t, Config{ListTopics: true}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.Created, message.PUT, "ps/a b/é\"", payload("v"), optUint(message.ContentFormat, 50))
		m := c.expect(message.Content, message.GET, ".well-known/core?rt=core.ps.data")
		if string(m.Payload) != `</ps/a%20b/%C3%A9%22>;rt="core.ps.data";obs;ct=50;sz=1` {
			t.Fatal(m)
		}
		if n := c.expect(message.Content, message.GET, "ps?rt=core.ps.data"); string(n.Payload) != string(m.Payload) {
			t.Fatal(n)
		}
		if n := c.expect(message.Content, message.GET, "ps"); len(n.Payload) != 0 || uintOption(t, n, message.ContentFormat) != 40 {
			t.Fatal(n)
		}
	})
}

func TestCoAP_R1_LongListsAreBlockwise(t *testing.T) {
	t.Parallel()
	script(t, Config{ListTopics: true}, func(d *adaptertest.Driver, c *client) {
		for i := range 100 {
			c.expect(message.Created, message.PUT, fmt.Sprintf("ps/topic/%d", i), payload("v"))
		}
		if got := c.fetch(message.GET, ".well-known/core", 6); strings.Count(got, "<") != 101 {
			t.Fatal(got)
		}
	})
}

func TestCoAP_Q10_LinksByMembersOfTheirAttributes(t *testing.T) {
	t.Parallel()
	links := []link{
		{target: "/a", attrs: []attr{{"rt", "t1"}}},
		{target: "/b", attrs: []attr{{"rt", "t1 t2"}, {"if", "i"}, {"sz", "7"}}},
		{target: "/a/c", attrs: []attr{{"title", `say "x" \ y`}, {"ct", "40"}}},
	}
	for query, want := range map[string]string{
		"rt=t1":    `</a>;rt="t1",</b>;rt="t1 t2";if="i";sz=7`,
		"rt=t2":    `</b>;rt="t1 t2";if="i";sz=7`,
		"rt=t1*":   `</a>;rt="t1",</b>;rt="t1 t2";if="i";sz=7`,
		"rt=none":  ``,
		"if=i":     `</b>;rt="t1 t2";if="i";sz=7`,
		"sz=7":     `</b>;rt="t1 t2";if="i";sz=7`,
		"href=/b":  `</b>;rt="t1 t2";if="i";sz=7`,
		"href=/a*": `</a>;rt="t1",</a/c>;title="say \"x\" \\ y";ct=40`,
		"ct=40":    `</a/c>;title="say \"x\" \\ y";ct=40`,
		"novalue":  `</a>;rt="t1",</b>;rt="t1 t2";if="i";sz=7,</a/c>;title="say \"x\" \\ y";ct=40`,
	} {
		if got := string(appendLinks(nil, links, filters(queryOptions(query)))); got != want {
			t.Errorf("%s:\n got %s\nwant %s", query, got, want)
		}
	}
}
