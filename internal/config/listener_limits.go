package config

import "time"

// ListenerLimits are the limits of one listener. The zero value of a key is that of the section `limits`.
type ListenerLimits struct {
	// Preauth bounds a connection that has not logged in yet.
	Preauth ListenerPreauth `yaml:"preauth"`
	// Connections of this listener; of a datagram listener its clients, and associations.
	Connections int `yaml:"connections" min:"1"`
	// AcceptRate is the rate of new connections.
	AcceptRate Rate `yaml:"accept_rate" min:"1/s"`
	// MessageBytes is the largest payload.
	MessageBytes Size `yaml:"message_bytes" min:"1KiB" max:"256MiB"`
	// ClientIDBytes is the longest client identifier.
	ClientIDBytes int `yaml:"client_id_bytes" min:"23" max:"65535"`
	// UsernameBytes is the longest user name.
	UsernameBytes int `yaml:"username_bytes" min:"1" max:"65535"`
	// PasswordBytes is the longest password.
	PasswordBytes int `yaml:"password_bytes" min:"1" max:"65535"`
	// Properties is the number of user properties or headers of a message.
	Properties int `yaml:"properties" min:"1" max:"65535"`
	// PropertyBytes is their sum.
	PropertyBytes Size `yaml:"property_bytes" min:"1KiB" max:"16MiB"`
	// WriteBuffer bounds what waits for a peer that reads slowly.
	WriteBuffer ListenerWriteBuffer `yaml:"write_buffer" plain:"bytes"`
	// PublishRate is how many messages one connection may publish; beyond it its reading pauses, and a client of a datagram listener is refused.
	PublishRate Rate `yaml:"publish_rate" min:"1/s"`
	// PublishBytesRate is how many bytes of them it may send in a second.
	PublishBytesRate Size `yaml:"publish_bytes_rate" min:"1"`
}

// ListenerPreauth is `limits.preauth` of a listener.
type ListenerPreauth struct {
	// Deadline is the time from accept to the complete credentials.
	Deadline time.Duration `yaml:"deadline" min:"100ms" max:"5m"`
	// Exchange is the time from there to the end of the login.
	Exchange time.Duration `yaml:"exchange" min:"100ms" max:"5m"`
	// Bytes is how much may be received before.
	Bytes Size `yaml:"bytes" min:"1KiB" max:"16MiB"`
}

// ListenerWriteBuffer is `limits.write_buffer` of a listener.
type ListenerWriteBuffer struct {
	// Bytes that wait before the peer's input stops.
	Bytes Size `yaml:"bytes" min:"64KiB" max:"1GiB"`
	// Stalled ends a peer that reads nothing for so long.
	Stalled time.Duration `yaml:"stalled" min:"1s" max:"1h"`
}
