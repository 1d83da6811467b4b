package config

import "time"

// Node is the section `node`: who this gateway is and where it keeps its data.
type Node struct {
	// Name of this node in logs and in the origin of messages. Empty takes the host's name.
	Name string `yaml:"name"`
	// Data is the directory of the store, created if it does not exist. The word memory keeps nothing on disk.
	Data string `yaml:"data" path:"memory"`
}

// Log is the section `log`.
type Log struct {
	// Level is the lowest level that is written: debug, info, warn or error.
	Level string `yaml:"level" enum:"debug,info,warn,error"`
	// Format is text, json, or auto: text on a terminal, JSON otherwise.
	Format string `yaml:"format" enum:"auto,text,json"`
	// File receives the log instead of stderr.
	File string `yaml:"file" path:""`
	// Connections writes a line for each client that connects and disconnects.
	Connections bool `yaml:"connections"`
}

// Admin is the section `admin`: settings of every http:// listener.
type Admin struct {
	// Metrics serves /metrics.
	Metrics bool `yaml:"metrics"`
	// RabbitMQAPI answers /api/connections as RabbitMQ's management does, for tools that list AMQP connections and end them.
	RabbitMQAPI bool `yaml:"rabbitmq_api"`
	// Timeout bounds one request, from its first byte to the last byte of the answer.
	Timeout time.Duration `yaml:"timeout" min:"100ms" max:"1h"`
}

// Default returns the configuration of a start without any file, flag or variable.
func Default() *Config {
	c := &Config{
		Node:  Node{Data: "./entrepot-data"},
		Log:   Log{Level: "info", Format: "auto", Connections: true},
		Admin: Admin{Metrics: true, Timeout: 10 * time.Second},
	}
	return c
}

// DefaultListeners are the URLs that are served when nothing else is said: every protocol, this machine only.
func DefaultListeners() []string {
	return []string{
		"mqtt://127.0.0.1:1883",
		"ws://127.0.0.1:8083",
		"mqttsn://127.0.0.1:1884",
		"coap://127.0.0.1:5683",
		"stomp://127.0.0.1:61613",
		"amqp://127.0.0.1:5672",
		"http://127.0.0.1:8088",
	}
}
