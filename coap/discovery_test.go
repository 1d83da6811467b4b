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
		if string(m.Payload) != `</ps>;rt="core.ps core.ps.coll";ct=40,</mqtt/connection>` || uintOption(t, m, message.ContentFormat) != 40 {
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
		const ps, conn = `</ps>;rt="core.ps core.ps.coll";ct=40`, `</mqtt/connection>`
		for query, want := range map[string]string{
			"rt=core.ps.coll": ps, "rt=core.ps": ps, "rt=core.ps*": ps, "rt=core.ps.conf": "", "href=/ps*": ps, "href=/ps": ps,
			"href=/p": "", "ct=40": ps, "ct=4": "", "if=x": "", "rt=core.ps&href=/x": "", "rt=*": ps, "title=*": "",
			"href=/mqtt/connection": conn, "href=/mqtt*": conn, "href=/mqtt": "", "href=/mqtt/*": conn, "href=mqtt/connection": "",
			"href=*": ps + "," + conn, "href=/*": ps + "," + conn, "rt=core.ps&href=/mqtt*": "", "rt=": "", "href=": "",
		} {
			m := c.expect(message.Content, message.GET, ".well-known/core?"+query)
			if string(m.Payload) != want {
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
		if got := c.fetch(message.GET, ".well-known/core", 6); strings.Count(got, "<") != 102 {
			t.Fatal(got)
		}
	})
}

// The smallest blocks carry the list as well, and each has the list's ETag.
func TestCoAP_R1_SmallBlocks(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		whole := c.expect(message.Content, message.GET, ".well-known/core")
		if got := c.fetch(message.GET, ".well-known/core", 0); got != string(whole.Payload) {
			t.Fatalf("%q", got)
		}
		if got := c.fetch(message.GET, ".well-known/core?href=/mqtt*", 0); got != "</mqtt/connection>" {
			t.Fatalf("%q", got)
		}
	})
}

// What ends a target in the link format does not stand in one.
func TestCoAP_R1_PrefixIsEscaped(t *testing.T) {
	t.Parallel()
	script(t, Config{Prefix: `a b>,;"`}, func(d *adaptertest.Driver, c *client) {
		m := c.expect(message.Content, message.GET, ".well-known/core?rt=core.ps")
		if string(m.Payload) != `</a%20b%3E%2C%3B%22>;rt="core.ps core.ps.coll";ct=40` {
			t.Fatal(m)
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
