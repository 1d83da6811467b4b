package coap

import (
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// Resource types of the publish-subscribe draft.
const (
	rtCollection = "core.ps core.ps.coll"
	rtData       = "core.ps.data"
)

// listAtOnce bounds the retained topics that one discovery visits.
const listAtOnce = 1024

// wellKnown answers /.well-known/core (R1, R2; RFC 6690, section 4).
func (h *topics) wellKnown(t *core.Turn, q *request, r *response) {
	links := []link{
		{target: string(appendEscaped([]byte{'/'}, h.cfg.Prefix)), attrs: []attr{{"rt", rtCollection}, {"ct", "40"}}},
		{target: connectionPath},
	}
	if h.cfg.ListTopics {
		links = append(links, h.values(t)...)
	}
	h.answerLinks(q, r, links)
}

// collection answers /ps: the topics of the collection. Those that are not
// managed appear as values, where topics may be listed at all.
func (h *topics) collection(t *core.Turn, q *request, r *response) {
	var links []link
	for _, o := range q.query {
		if name, value, _ := strings.Cut(string(o.Value), "="); name == "rt" && value == rtData && h.cfg.ListTopics {
			links = h.values(t)
		}
	}
	h.answerLinks(q, r, links)
}

// values are the links to retained values that the client may read.
func (h *topics) values(t *core.Turn) (links []link) {
	for _, m := range h.who.session.ListRetained(t, listAtOnce) {
		target := appendEscaped([]byte{'/'}, h.cfg.Prefix)
		for _, s := range message.Segments(m.Topic) {
			target = appendEscaped(append(target, '/'), s)
		}
		l := link{target: string(target), attrs: []attr{{"rt", rtData}, {name: "obs"}}}
		if m.Meta != nil {
			if f, ok := message.FormatOf(m.Meta.ContentType); ok {
				l.attrs = append(l.attrs, attr{"ct", f.String()})
			}
		}
		l.attrs = append(l.attrs, attr{"sz", strconv.Itoa(len(m.Payload))})
		links = append(links, l)
	}
	return links
}

// answerLinks answers with the links that the query selects; none is an empty
// 2.05 (R2).
func (h *topics) answerLinks(q *request, r *response, links []link) {
	r.code = message.Content
	r.setFormat(message.LinkFormat)
	r.payload = appendLinks(nil, links, filters(q.query))
	sum := fnv.New64a()
	sum.Write(r.payload)
	r.setETag(sum.Sum64())
	if q.accept >= 0 && q.accept != int32(message.LinkFormat) {
		r.fail(message.NotAcceptable, "links are in format 40")
		return
	}
	h.validate(q, r)
}
