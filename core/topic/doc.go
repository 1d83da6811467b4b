// Package topic is the routing vocabulary of the gateway: names, filters, the
// index that maps filters to receivers, the ordered index of retained values,
// and the codecs that carry topics over other separators.
//
// A topic name is UTF-8, its levels separated by '/'. A filter is a name whose
// levels may be wildcards: '+' stands for exactly one level, '#' for any number
// of them, none included. MQTT 5.0, section 4.7 defines both; there '#' must be
// last. A wide filter, which AMQP bindings and STOMP's dot style make, may hold
// '#' at any level. A filter that begins with a wildcard does not match a name
// that begins with '$' [MQTT-4.7.2-1].
//
// The empty string has no level at all. It is not a legal topic; it exists here
// only because AMQP has an empty routing key, which '#' matches.
package topic
