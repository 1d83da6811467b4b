package stomp

import (
	"strings"

	"github.com/entrepot/entrepot/core/topic"
)

// tempPrefix begins the names of the queues behind /temp-queue/.
const tempPrefix = "stomp-temp-"

// appendTopic appends the destination of a topic in a style (ST35). What the
// style cannot say goes in the one that can: sending it back must name the
// same topic.
func appendTopic(dst []byte, name string, st style) []byte {
	if q, ok := topic.SplitQueue(name); ok {
		return appendQueue(dst, q)
	}
	if st == bare && name[0] != '/' {
		return append(dst, name...)
	}
	dst = append(dst, "/topic/"...)
	if st == dot || strings.IndexByte(name, '/') < 0 {
		return topic.Dotted.AppendName(dst, name)
	}
	return append(dst, name...)
}

// appendQueue appends the destination of a queue; parseQueue is its inverse.
func appendQueue(dst []byte, name string) []byte {
	if strings.HasPrefix(name, tempPrefix) {
		dst = append(dst, "/reply-queue/"...)
		return append(dst, name...)
	}
	dst = append(dst, "/queue/"...)
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '/':
			dst = append(dst, "%2F"...)
		case '%':
			dst = append(dst, "%25"...)
		default:
			dst = append(dst, name[i])
		}
	}
	return dst
}

// unescapeQueue decodes %2F and %25, and nothing else.
func unescapeQueue(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	return queueUnescaper.Replace(s)
}

var queueUnescaper = strings.NewReplacer("%2F", "/", "%2f", "/", "%25", "%")
