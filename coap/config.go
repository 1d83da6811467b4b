package coap

import (
	"fmt"
	"time"
)

// Config is the section coap of the configuration. The zero value of a field
// means its default; Validate names the first one that is out of range.
type Config struct {
	AckTimeout      time.Duration `yaml:"ack_timeout"`       // first retransmission; default 2s, 100ms to 1m
	AckRandomFactor float64       `yaml:"ack_random_factor"` // spread of it; default 1.5, 1 to 4
	MaxRetransmit   int           `yaml:"max_retransmit"`    // default 4, 1 to 10
	NStart          int           `yaml:"nstart"`            // outstanding CONs of a peer; default 1, 1 to 16
	SeparateAfter   time.Duration `yaml:"separate_after"`    // empty ACK when the core is slower; default 1s, 100ms to 2s

	DedupPerEndpoint int           `yaml:"dedup_per_endpoint"` // message ids remembered for a peer; default 64, 1 to 4096
	DedupTotal       int           `yaml:"dedup_total"`        // for all peers; default 100000
	MaxEndpoints     int           `yaml:"max_endpoints"`      // peers of a listener; default 100000
	EndpointIdle     time.Duration `yaml:"endpoint_idle"`      // a peer without observation is forgotten; default 5m, 10s to 24h

	MaxDatagram int `yaml:"max_datagram"` // largest datagram we send, octets; default 1152, 128 to 65507
	BlockSize   int `yaml:"block_size"`   // largest block we ask for and send; default 1024, 16 to 1024
	MaxOptions  int `yaml:"max_options"`  // of one request; default 64, 8 to 255

	MaxBody           int           `yaml:"max_body"`            // octets of an assembled body; default 1 MiB
	BlockMemory       int           `yaml:"block_memory"`        // octets of all transfers; default 64 MiB
	BlocksPerEndpoint int           `yaml:"blocks_per_endpoint"` // transfers of a peer in each direction; default 16, 1 to 1024
	BlockTTL          time.Duration `yaml:"block_ttl"`           // a transfer without a block is forgotten; default 60s

	Notify       string        `yaml:"notify"`         // qos (default), non, con
	PublishQoS   string        `yaml:"publish_qos"`    // coap (default: CON 1, NON 0), 0, 1, 2
	SubscribeQoS string        `yaml:"subscribe_qos"`  // coap (default), 0, 1, 2
	CheckEvery   time.Duration `yaml:"observer_check"` // a CON at least this often; default 5m, 1s to 24h
	ObserveQueue int           `yaml:"observe_queue"`  // QoS 1 notifications that wait; default 100
	MaxAge       time.Duration `yaml:"max_age"`        // bound of Max-Age; default 60s, 1s to 2^32 s

	ObservesPerEndpoint int `yaml:"observes_per_endpoint"` // default 256
	ObservesPerSource   int `yaml:"observes_per_source"`   // of one IP address; default 1024
	MaxObserves         int `yaml:"max_observes"`          // of all; default 200000

	Prefix       string `yaml:"prefix"`        // path segment of the topics; default ps
	ListTopics   bool   `yaml:"list_topics"`   // discovery lists retained topics
	EmqxCompat   bool   `yaml:"emqx_compat"`   // decode paths twice, 2.07 on cancel, 4.00 on odd Observe values
	AllowPlain   bool   `yaml:"allow_plain"`   // credentials in the query off loopback, without DTLS
	AddressProof string `yaml:"address_proof"` // public (default), on, off: who must echo before large answers

	QueryProperties []string `yaml:"query_properties"` // keys that ?up.KEY=VALUE may set
}

// withDefaults returns c with its zero fields filled in.
func (c Config) withDefaults() Config {
	dur := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	num := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	str := func(v *string, d string) {
		if *v == "" {
			*v = d
		}
	}
	dur(&c.AckTimeout, 2*time.Second)
	dur(&c.SeparateAfter, time.Second)
	dur(&c.EndpointIdle, 5*time.Minute)
	dur(&c.BlockTTL, time.Minute)
	dur(&c.CheckEvery, 5*time.Minute)
	dur(&c.MaxAge, time.Minute)
	if c.AckRandomFactor == 0 {
		c.AckRandomFactor = 1.5
	}
	num(&c.MaxRetransmit, 4)
	num(&c.NStart, 1)
	num(&c.DedupPerEndpoint, 64)
	num(&c.DedupTotal, 100_000)
	num(&c.MaxEndpoints, 100_000)
	num(&c.MaxDatagram, 1152)
	num(&c.BlockSize, 1024)
	num(&c.MaxOptions, 64)
	num(&c.MaxBody, 1<<20)
	num(&c.BlockMemory, 64<<20)
	num(&c.BlocksPerEndpoint, 16)
	num(&c.ObserveQueue, 100)
	num(&c.ObservesPerEndpoint, 256)
	num(&c.ObservesPerSource, 1024)
	num(&c.MaxObserves, 200_000)
	str(&c.Notify, "qos")
	str(&c.PublishQoS, "coap")
	str(&c.SubscribeQoS, "coap")
	str(&c.Prefix, "ps")
	str(&c.AddressProof, "public")
	return c
}

// Validate returns an error that names the first key out of range.
func (c *Config) Validate() error {
	d := c.withDefaults()
	for _, r := range []struct {
		key          string
		v, low, high time.Duration
	}{
		{"ack_timeout", d.AckTimeout, 100 * time.Millisecond, time.Minute},
		{"separate_after", d.SeparateAfter, 100 * time.Millisecond, 2 * time.Second},
		{"endpoint_idle", d.EndpointIdle, 10 * time.Second, 24 * time.Hour},
		{"block_ttl", d.BlockTTL, time.Second, time.Hour},
		{"observer_check", d.CheckEvery, time.Second, 24 * time.Hour},
		{"max_age", d.MaxAge, time.Second, (1<<32 - 1) * time.Second},
	} {
		if r.v < r.low || r.v > r.high {
			return fmt.Errorf("coap.%s: %v is not between %v and %v", r.key, r.v, r.low, r.high)
		}
	}
	for _, r := range []struct {
		key          string
		v, low, high int
	}{
		{"max_retransmit", d.MaxRetransmit, 1, 10},
		{"nstart", d.NStart, 1, 16},
		{"dedup_per_endpoint", d.DedupPerEndpoint, 1, 4096},
		{"dedup_total", d.DedupTotal, 1, 1 << 30},
		{"max_endpoints", d.MaxEndpoints, 1, 1 << 30},
		{"max_datagram", d.MaxDatagram, 128, 65507},
		{"block_size", d.BlockSize, 16, 1024},
		{"max_options", d.MaxOptions, 8, 255},
		{"max_body", d.MaxBody, 16, 1 << 30},
		{"block_memory", d.BlockMemory, 1024, 1 << 40},
		{"blocks_per_endpoint", d.BlocksPerEndpoint, 1, 1024},
		{"observe_queue", d.ObserveQueue, 1, 1 << 20},
		{"observes_per_endpoint", d.ObservesPerEndpoint, 1, 65536},
		{"observes_per_source", d.ObservesPerSource, 1, 1 << 30},
		{"max_observes", d.MaxObserves, 1, 1 << 30},
	} {
		if r.v < r.low || r.v > r.high {
			return fmt.Errorf("coap.%s: %d is not between %d and %d", r.key, r.v, r.low, r.high)
		}
	}
	if d.AckRandomFactor < 1 || d.AckRandomFactor > 4 {
		return fmt.Errorf("coap.ack_random_factor: %v is not between 1 and 4", d.AckRandomFactor)
	}
	return d.validateWords()
}

func (c *Config) validateWords() error {
	for _, w := range []struct {
		key, v string
		of     []string
	}{
		{"notify", c.Notify, []string{"qos", "non", "con"}},
		{"publish_qos", c.PublishQoS, []string{"coap", "0", "1", "2"}},
		{"subscribe_qos", c.SubscribeQoS, []string{"coap", "0", "1", "2"}},
		{"address_proof", c.AddressProof, []string{"off", "public", "on"}},
	} {
		found := false
		for _, x := range w.of {
			found = found || x == w.v
		}
		if !found {
			return fmt.Errorf("coap.%s: %q is not one of %q", w.key, w.v, w.of)
		}
	}
	if n := len(c.Prefix); n > 255 {
		return fmt.Errorf("coap.prefix: %d octets are more than 255", n)
	}
	return nil
}

// qosOf reads a configured QoS: coap means 1 for CON and 0 for NON.
func qosOf(setting string, confirmable bool) uint8 {
	switch {
	case setting != "coap":
		return setting[0] - '0'
	case confirmable:
		return 1
	}
	return 0
}
