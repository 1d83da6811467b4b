package config

import "slices"

// A Scheme says what the scheme of a URL means, for listeners and clients alike.
type Scheme struct {
	Name string
	// Protocol is the one that is spoken; ws and wss carry MQTT and STOMP, told apart by the path.
	Protocol string
	// Network is tcp, udp or unix.
	Network string
	// Port is the default port, 0 for unix.
	Port int
	// TLS: the connection is encrypted by TLS, or DTLS on UDP.
	TLS bool
	// WebSocket: the protocol is carried by WebSocket.
	WebSocket bool
}

// DTLS: datagrams are encrypted.
func (s Scheme) DTLS() bool { return s.TLS && s.Network == "udp" }

// Schemes are all schemes of a URL, in the order of the documentation.
var Schemes = []Scheme{
	{Name: "mqtt", Protocol: "mqtt", Network: "tcp", Port: 1883},
	{Name: "mqtts", Protocol: "mqtt", Network: "tcp", Port: 8883, TLS: true},
	{Name: "mqtt+unix", Protocol: "mqtt", Network: "unix"},
	{Name: "ws", Protocol: "ws", Network: "tcp", Port: 8083, WebSocket: true},
	{Name: "wss", Protocol: "ws", Network: "tcp", Port: 8084, TLS: true, WebSocket: true},
	{Name: "mqttsn", Protocol: "mqttsn", Network: "udp", Port: 1884},
	{Name: "mqttsns", Protocol: "mqttsn", Network: "udp", Port: 8884, TLS: true},
	{Name: "coap", Protocol: "coap", Network: "udp", Port: 5683},
	{Name: "coaps", Protocol: "coap", Network: "udp", Port: 5684, TLS: true},
	{Name: "coap+tcp", Protocol: "coap", Network: "tcp", Port: 5683},
	{Name: "coaps+tcp", Protocol: "coap", Network: "tcp", Port: 5684, TLS: true},
	{Name: "stomp", Protocol: "stomp", Network: "tcp", Port: 61613},
	{Name: "stomps", Protocol: "stomp", Network: "tcp", Port: 61614, TLS: true},
	{Name: "amqp", Protocol: "amqp", Network: "tcp", Port: 5672},
	{Name: "amqps", Protocol: "amqp", Network: "tcp", Port: 5671, TLS: true},
	{Name: "http", Protocol: "http", Network: "tcp", Port: 8088},
}

// SchemeNames lists the names of all schemes.
func SchemeNames() []string {
	names := make([]string, len(Schemes))
	for i, s := range Schemes {
		names[i] = s.Name
	}
	return names
}

// LookupScheme finds a scheme by its name.
func LookupScheme(name string) (Scheme, bool) {
	i := slices.IndexFunc(Schemes, func(s Scheme) bool { return s.Name == name })
	if i < 0 {
		return Scheme{}, false
	}
	return Schemes[i], true
}
