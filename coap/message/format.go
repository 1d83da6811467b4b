package message

import (
	"slices"
	"strconv"
	"strings"
)

// Format is a content format: the number of a media type with its parameters
// (RFC 7252, section 12.3).
type Format uint16

// Formats that the endpoint itself speaks.
const (
	TextPlain   Format = 0
	LinkFormat  Format = 40
	OctetStream Format = 42
	JSON        Format = 50
	CBOR        Format = 60
)

// mediaTypes is the registry as far as we know it. The texts are normalized:
// lower case, no space around the semicolon, no quotes.
var mediaTypes = map[Format]string{
	0:     "text/plain;charset=utf-8",
	16:    "application/cose;cose-type=cose-encrypt0",
	17:    "application/cose;cose-type=cose-mac0",
	18:    "application/cose;cose-type=cose-sign1",
	40:    "application/link-format",
	41:    "application/xml",
	42:    "application/octet-stream",
	47:    "application/exi",
	50:    "application/json",
	51:    "application/json-patch+json",
	52:    "application/merge-patch+json",
	60:    "application/cbor",
	61:    "application/cwt",
	63:    "application/cbor-seq",
	96:    "application/cose;cose-type=cose-encrypt",
	97:    "application/cose;cose-type=cose-mac",
	98:    "application/cose;cose-type=cose-sign",
	101:   "application/cose-key",
	110:   "application/senml+json",
	111:   "application/sensml+json",
	112:   "application/senml+cbor",
	113:   "application/sensml+cbor",
	114:   "application/senml-exi",
	115:   "application/sensml-exi",
	310:   "application/senml+xml",
	311:   "application/sensml+xml",
	320:   "application/senml-etch+json",
	322:   "application/senml-etch+cbor",
	606:   "application/core-pubsub+cbor",
	10000: "application/vnd.ocf+cbor",
	11542: "application/vnd.oma.lwm2m+tlv",
	11543: "application/vnd.oma.lwm2m+json",
	11544: "application/vnd.oma.lwm2m+cbor",
}

// formats is mediaTypes backwards, and the bare text/plain, whose default
// charset is a subset of UTF-8.
var formats = func() map[string]Format {
	m := map[string]Format{"text/plain": TextPlain, "text/plain;charset=us-ascii": TextPlain}
	for f, s := range mediaTypes {
		m[s] = f
	}
	return m
}()

const unregistered = "application/coap-format;n="

// MediaType returns the media type of f, or application/coap-format;n=NUMBER
// for a number without one, from which FormatOf finds f again.
func (f Format) MediaType() string {
	if s, ok := mediaTypes[f]; ok {
		return s
	}
	return unregistered + strconv.Itoa(int(f))
}

// IsText reports whether the payload of f is UTF-8 text by its definition.
func (f Format) IsText() bool {
	switch f {
	case 0, 40, 50, 51, 52, 110, 111, 320, 11543:
		return true
	}
	return false
}

func (f Format) String() string { return strconv.Itoa(int(f)) }

// Formats returns the registered formats in ascending order.
func Formats() []Format {
	all := make([]Format, 0, len(mediaTypes))
	for f := range mediaTypes {
		all = append(all, f)
	}
	slices.Sort(all)
	return all
}

// FormatOf returns the number of a media type: first with its parameters,
// then without; ok is false when there is none and the option must be left
// out. Case, spaces and quotes do not matter. A charset that the registered
// type does not have is never dropped silently.
func FormatOf(mediaType string) (f Format, ok bool) {
	if f, ok = formats[mediaType]; ok {
		return f, true
	}
	s := normalize(mediaType)
	if f, ok = formats[s]; ok {
		return f, true
	}
	if n, found := strings.CutPrefix(s, unregistered); found {
		v, err := strconv.ParseUint(n, 10, 16)
		return Format(v), err == nil
	}
	bare, params, _ := strings.Cut(s, ";")
	for p := range strings.SplitSeq(params, ";") {
		if cs, found := strings.CutPrefix(p, "charset="); found && cs != "utf-8" && cs != "us-ascii" {
			return 0, false
		}
	}
	f, ok = formats[bare]
	return f, ok
}

// normalize brings a media type to the form of the table.
func normalize(s string) string {
	parts := strings.Split(strings.ToLower(s), ";")
	for i, p := range parts {
		name, value, found := strings.Cut(strings.TrimSpace(p), "=")
		if found {
			name += "=" + strings.Trim(value, `"`)
		}
		parts[i] = name
	}
	return strings.Join(parts, ";")
}
