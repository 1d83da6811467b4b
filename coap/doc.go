// Package coap is the CoAP publish-subscribe room: an endpoint without I/O that
// speaks RFC 7252 over datagrams, with Observe (RFC 7641), block-wise transfer
// (RFC 7959), No-Response (RFC 7967) and the link format (RFC 6690). Topics of
// the core are the resources below /ps: PUT retains, POST publishes, GET reads
// the retained value, Observe subscribes, DELETE clears.
//
// adapters/listen drives it: one Endpoint for each listener, called by one
// goroutine at a time with datagrams, wake-ups and ticks. A peer is what comes
// from one address and port; it owns its window of message ids, its exchanges,
// its transfers and its observations. Nothing here holds a lock, starts a
// goroutine or owns a timer, except what Room shares between listeners, which
// is atomic.
package coap
