package stomp

import (
	"strings"
	"unicode/utf8"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/topic"
)

// style is how a destination spells a topic (docs/stomp.md, "Styles").
type style uint8

const (
	slash style = iota // /topic/a/b.c: the topic as it is
	dot                // /topic/a.b%2Ec: levels separated by '.', as an AMQP routing key
	bare               // a/b.c: the topic without a prefix
)

// kind is what a destination names.
type kind uint8

const (
	toTopic    kind = iota // a topic, or in SUBSCRIBE a filter
	toQueue                // a named queue, made when absent
	toExisting             // a named queue that must exist
	toTemp                 // a queue of this connection, by the name the client gave it
	toReply                // the queue behind another connection's reply-to
)

// destination is what the text of a destination header means.
type destination struct {
	kind  kind
	style style
	name  string // canonical topic or filter, or a queue's name
	group string // of a shared subscription; "" when it is none
	wide  bool   // '#' stands before other levels
}

const (
	queuePrefix   = "$queue/"
	validPrefixes = "/topic/, /queue/, /exchange/, /amq/queue/, /temp-queue/, /reply-queue/, /remote-temp-queue/"
)

func invalidDestination(rest, typ string) *failure {
	return &failure{reason: core.BadTopic, message: "Invalid destination", body: "'" + rest + "' is not a valid " + typ + " destination\n"}
}

// parseSend reads the destination of a SEND.
func (c *Config) parseSend(s string) (destination, *failure) { return c.parse(s, false) }

// parseSubscribe reads the destination of a SUBSCRIBE.
func (c *Config) parseSubscribe(s string) (destination, *failure) { return c.parse(s, true) }

func (c *Config) parse(s string, filter bool) (destination, *failure) {
	if s == "" || !utf8.ValidString(s) { // ST10
		return destination{}, &failure{reason: core.BadTopic, message: "Invalid destination", body: "the destination is empty or not UTF-8\n"}
	}
	if s[0] != '/' {
		return topicDestination(s, s, bare, filter)
	}
	typ, rest := splitPrefix(s)
	switch typ {
	case "topic", "queue", "exchange", "temp-queue", "reply-queue", "remote-temp-queue", "amq/queue":
		if len(rest) < 2 { // ST29: nothing behind the prefix
			return destination{}, invalidDestination(rest, strings.TrimPrefix(typ, "amq/"))
		}
	}
	switch typ {
	case "topic":
		return c.parseTopic(rest, filter)
	case "queue":
		return c.parseQueue(toQueue, rest)
	case "amq/queue":
		return destination{kind: toExisting, name: unescapeQueue(rest[1:])}, nil
	case "exchange":
		return c.parseExchange(rest, filter)
	case "temp-queue":
		return c.parseQueue(toTemp, rest)
	case "reply-queue", "remote-temp-queue":
		if filter {
			return destination{}, invalidDestination(rest, typ)
		}
		return destination{kind: toReply, name: rest[1:]}, nil
	}
	if c.UnknownPrefix == "topic" {
		return topicDestination(s, s, bare, filter)
	}
	return destination{}, &failure{reason: core.BadTopic, message: "Unknown destination",
		body: "'" + s + "' is not a valid destination.\nValid destination types are: " + validPrefixes + "\n"}
}

// splitPrefix splits "/queue/a" into "queue" and "/a"; "/amq/queue/a" into
// "amq/queue" and "/a".
func splitPrefix(s string) (typ, rest string) {
	typ = s[1:]
	if rest, ok := strings.CutPrefix(typ, "amq/queue"); ok && (rest == "" || rest[0] == '/') {
		return "amq/queue", rest
	}
	if i := strings.IndexByte(typ, '/'); i >= 0 {
		return typ[:i], typ[i:]
	}
	return typ, ""
}

// parseQueue reads "/NAME" (ST29).
func (c *Config) parseQueue(k kind, rest string) (destination, *failure) {
	name := rest[1:]
	if strings.IndexByte(name, '/') >= 0 && !c.QueueSlash {
		return destination{}, invalidDestination(rest, "queue")
	}
	name = unescapeQueue(name)
	if topic.CheckName(queuePrefix+name, topic.Limits{}) != nil {
		return destination{}, invalidDestination(rest, "queue")
	}
	return destination{kind: k, name: name}, nil
}

// parseTopic reads "/TEXT" in the style that the configuration asks for, or
// that the text shows.
func (c *Config) parseTopic(rest string, filter bool) (destination, *failure) {
	text := rest[1:]
	st := slash
	switch c.TopicStyle {
	case "dot":
		if st = dot; strings.IndexByte(text, '/') >= 0 {
			return destination{}, invalidDestination(rest, "topic")
		}
	case "slash":
	default:
		if strings.IndexByte(text, '/') < 0 {
			st = dot
		}
	}
	return topicDestination(text, rest, st, filter)
}

// parseExchange reads "/E/KEY" for the two exchanges that every broker has.
func (c *Config) parseExchange(rest string, filter bool) (destination, *failure) {
	name, key, _ := strings.Cut(rest[1:], "/")
	switch {
	case name == "amq.topic" && key != "":
		return topicDestination(key, rest, dot, filter)
	case name == "amq.topic" && filter:
		return topicDestination("#", rest, dot, filter)
	case name == "amq.topic":
		return destination{}, invalidDestination(rest, "exchange")
	case name == "amq.default" && key != "" && !filter:
		return destination{kind: toQueue, name: key}, nil
	case name == "amq.default":
		return destination{}, invalidDestination(rest, "exchange")
	}
	return destination{}, &failure{reason: core.NotFound, message: "not_found", body: "NOT_FOUND - no exchange '" + name + "'\n"}
}

// topicDestination turns text in one of the styles into a topic or filter;
// rest is what an ERROR shows.
func topicDestination(text, rest string, st style, filter bool) (destination, *failure) {
	if !filter {
		return sendTopic(text, rest, st)
	}
	return subscribeFilter(text, rest, st)
}

func sendTopic(text, rest string, st style) (destination, *failure) {
	if strings.ContainsAny(text, "+#") { // ST33
		return destination{}, invalidDestination(rest, "topic")
	}
	name := text
	var err error
	if st == dot {
		name, err = topic.Dotted.DecodeName(text)
	} else {
		err = topic.CheckName(text, topic.Limits{})
	}
	if err != nil {
		return destination{}, invalidDestination(rest, "topic")
	}
	if q, ok := topic.SplitQueue(name); ok {
		if q == "" {
			return destination{}, invalidDestination(rest, "queue")
		}
		return destination{kind: toQueue, name: q}, nil
	}
	if name[0] == '$' { // ST36
		return destination{}, refused("'" + name + "' is reserved")
	}
	return destination{kind: toTopic, style: st, name: name}, nil
}

func subscribeFilter(text, rest string, st style) (destination, *failure) {
	d := destination{kind: toTopic, style: st, name: text}
	if st != dot {
		if g, f, ok, err := topic.SplitShare(text); ok && err == nil {
			d.group, d.name = g, f // ST36
		}
	}
	filter, ok := canonicalFilter(d.name, st)
	if !ok {
		return destination{}, invalidDestination(rest, "topic")
	}
	if q, ok := topic.SplitQueue(filter); ok && q != "" && !topic.IsFilter(filter) {
		return destination{kind: toQueue, name: q}, nil
	}
	if strings.HasPrefix(filter, "$queue/") || strings.HasPrefix(filter, "$share/") {
		return destination{}, invalidDestination(rest, "topic")
	}
	d.name, d.wide = filter, strings.Contains(filter, "#/")
	return d, nil
}

// canonicalFilter applies ST33: '*' and '+' stand for one level, a last '>' or
// '#' for any number of them; '#' elsewhere is for the dot style only.
func canonicalFilter(text string, st style) (string, bool) {
	if st == bare {
		return text, topic.CheckFilter(text, topic.Limits{}) == nil
	}
	sep, one := "/", "+"
	if st == dot {
		sep, one = ".", "*"
	}
	words := strings.Split(text, sep)
	for i, w := range words {
		switch {
		case w == "*" || w == "+":
			words[i] = one
		case w == ">" && i < len(words)-1:
			return "", false
		case w == ">":
			words[i] = "#"
		}
	}
	text = strings.Join(words, sep)
	if st == slash {
		return text, topic.CheckFilter(text, topic.Limits{}) == nil
	}
	f, err := topic.Dotted.DecodeFilter(text)
	return f, err == nil
}
