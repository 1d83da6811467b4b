package message

import (
	"bytes"
	"strings"
)

// A publish-subscribe topic as a path: the Uri-Path segments behind the prefix
// are its levels. A '/' within a segment is "%2F" in the level; nothing else is
// escaped, and the client has already decoded its URI (RFC 7252, section 6.4),
// so that decoding here again would make wildcards of what was none.
const escapedSlash = "%2F"

// AppendTopic appends the topic that the segments name.
func AppendTopic(b []byte, segments Options) []byte {
	for i, s := range segments {
		if i > 0 {
			b = append(b, '/')
		}
		b = appendLevel(b, s.Value)
	}
	return b
}

func appendLevel(b, segment []byte) []byte {
	for {
		i := bytes.IndexByte(segment, '/')
		if i < 0 {
			return append(b, segment...)
		}
		b = append(append(b, segment[:i]...), escapedSlash...)
		segment = segment[i+1:]
	}
}

// Segments returns the path segments of a topic, in order: the inverse of
// AppendTopic.
func Segments(topic string) []string {
	s := strings.Split(topic, "/")
	for i := range s {
		s[i] = strings.ReplaceAll(s[i], escapedSlash, "/")
	}
	return s
}
