// Package client is an MQTT client of versions 3.1, 3.1.1 and 5.0 on the wire
// format of mqtt/packet, for the command line, the benchmark and the tests. It
// sends frames as they are made and batches its writes, so that it costs less
// than the server it measures. It does not reconnect.
package client
