package coap

import (
	"fmt"
	"time"

	"github.com/entrepot/entrepot/adapters/limit"
)

// Config is the section `coap` of the configuration. The zero value of a field
// is its documented default; Validate names the first one that is out of range.
type Config struct {
	// AckTimeout is the time to the first retransmission. Default: 2s.
	AckTimeout time.Duration `yaml:"ack_timeout" min:"100ms" max:"1m"`
	// AckRandomFactor spreads that time at random up to the factor. Default: 1.5.
	AckRandomFactor float64 `yaml:"ack_random_factor" min:"1" max:"4"`
	// MaxRetransmit is how often a Confirmable message is sent again. Default: 4.
	MaxRetransmit int `yaml:"max_retransmit" min:"1" max:"10"`
	// NStart is how many Confirmable messages to a peer may be outstanding. Default: 1.
	NStart int `yaml:"nstart" min:"1" max:"16"`
	// SeparateAfter is when a request is acknowledged without its answer, which then follows. Default: 1s.
	SeparateAfter time.Duration `yaml:"separate_after" min:"100ms" max:"2s"`

	// DedupPerEndpoint is how many message ids of a peer are remembered. Default: 64.
	DedupPerEndpoint int `yaml:"dedup_per_endpoint" min:"1" max:"4096"`
	// DedupTotal is how many are remembered of all peers. Default: 100000.
	DedupTotal int `yaml:"dedup_total" min:"1" max:"1073741824"`
	// MaxEndpoints is how many peers a listener remembers. Default: 100000.
	MaxEndpoints int `yaml:"max_endpoints" min:"1" max:"1073741824"`
	// EndpointIdle is when a silent peer without observations is forgotten. Default: 5m.
	EndpointIdle time.Duration `yaml:"endpoint_idle" min:"10s" max:"24h"`

	// MaxDatagram is the largest datagram that is sent, in bytes. Default: 1152.
	MaxDatagram int `yaml:"max_datagram" min:"128" max:"65507"`
	// BlockSize is the largest block that is sent and asked for, in bytes. Default: 1024.
	BlockSize int `yaml:"block_size" min:"16" max:"1024"`
	// MaxOptions is how many options a request may have. Default: 64.
	MaxOptions int `yaml:"max_options" min:"8" max:"255"`

	// MaxBody is the largest body of a request, in bytes. Default: 1MiB.
	MaxBody int `yaml:"max_body" min:"16" max:"1073741824"`
	// BlockMemory is what all block-wise transfers may hold, in bytes. Default: 64MiB.
	BlockMemory int `yaml:"block_memory" min:"1024" max:"1099511627776"`
	// BlocksPerEndpoint is how many transfers a peer may have in each direction. Default: 16.
	BlocksPerEndpoint int `yaml:"blocks_per_endpoint" min:"1" max:"1024"`
	// BlockTTL is how long a transfer is held after its last block. Default: 60s.
	BlockTTL time.Duration `yaml:"block_ttl" min:"1s" max:"1h"`

	// Notify says what notifications are: qos (Confirmable for QoS 1 and 2), non or con. Default: qos.
	Notify string `yaml:"notify" enum:"qos,non,con"`
	// PublishQoS is the QoS of a publication: coap (1 for Confirmable, 0 for Non-confirmable), 0, 1 or 2. Default: coap.
	PublishQoS string `yaml:"publish_qos" enum:"coap,0,1,2"`
	// SubscribeQoS is the highest QoS of an observation: coap (1), 0, 1 or 2. Default: coap.
	SubscribeQoS string `yaml:"subscribe_qos" enum:"coap,0,1,2"`
	// CheckEvery is when an observer gets a Confirmable notification at the latest. Default: 5m.
	CheckEvery time.Duration `yaml:"observer_check" min:"1s" max:"24h"`
	// ObserveQueue is how many notifications of QoS 1 wait for an observer. Default: 100.
	ObserveQueue int `yaml:"observe_queue" min:"1" max:"1048576"`
	// MaxAge bounds Max-Age. Default: 60s.
	MaxAge time.Duration `yaml:"max_age" min:"1s" max:"8760h"`

	// ObservesPerEndpoint is how many observations a peer may have. Default: 256.
	ObservesPerEndpoint int `yaml:"observes_per_endpoint" min:"1" max:"65536"`
	// ObservesPerSource is how many one IP address may have. Default: 1024.
	ObservesPerSource int `yaml:"observes_per_source" min:"1" max:"1073741824"`
	// MaxObserves is how many there may be in all. Default: 200000.
	MaxObserves int `yaml:"max_observes" min:"1" max:"1073741824"`

	// Prefix is the path segment before the topics. Default: ps.
	Prefix string `yaml:"prefix"`
	// ListTopics lets discovery list the retained topics that the client may read. Default: false.
	ListTopics bool `yaml:"list_topics"`
	// EmqxCompat decodes paths twice, answers the end of an observation with 2.07 and other Observe values with 4.00. Default: false.
	EmqxCompat bool `yaml:"emqx_compat"`
	// AllowPlain admits credentials in the query from other machines without DTLS. Default: false.
	AllowPlain bool `yaml:"allow_plain"`
	// AddressProof says who must echo a value before large answers and observations: on, off, or public, which is all but private ranges. Default: public.
	AddressProof string `yaml:"address_proof" enum:"public,on,off"`

	// RatePerSource is how many datagrams an address may send that has proven nothing; limits.trusted is exempt. Default: 1000/s.
	RatePerSource limit.Rate `yaml:"rate_per_source"`
	// RatePerClient is how many a peer may send; what comes beyond is not read. Default: unlimited.
	RatePerClient limit.Rate `yaml:"rate_per_client"`

	// ConnectionRequired refuses requests to topics without the token of a connection. Default: false.
	ConnectionRequired bool `yaml:"connection_required"`
	// Heartbeat is how often a connection is heard of; after one and a half it has ended. Default: 30s.
	Heartbeat time.Duration `yaml:"heartbeat" min:"1s" max:"24h"`
	// SessionExpiry is how long the session of a connection that was made with clean=false outlives it; limits.session_expiry_max caps it. Default: 12h.
	SessionExpiry time.Duration `yaml:"session_expiry" min:"1s" max:"8760h"`

	// QueryProperties are the keys that ?up.KEY=VALUE may set as user properties.
	QueryProperties []string `yaml:"query_properties"`
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
	dur(&c.Heartbeat, 30*time.Second)
	dur(&c.SessionExpiry, 12*time.Hour)
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
	if c.RatePerSource == 0 {
		c.RatePerSource = 1000
	}
	if c.RatePerClient == 0 {
		c.RatePerClient = limit.Unlimited
	}
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
		{"heartbeat", d.Heartbeat, time.Second, 24 * time.Hour},
		{"session_expiry", d.SessionExpiry, time.Second, 8760 * time.Hour},
		{"max_age", d.MaxAge, time.Second, 8760 * time.Hour},
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
	for key, v := range map[string]limit.Rate{"rate_per_source": d.RatePerSource, "rate_per_client": d.RatePerClient} {
		if v < 1 && v != limit.Unlimited || v > 1e9 {
			return fmt.Errorf("coap.%s: %d/s is neither 1/s to 1000000000/s nor unlimited", key, v)
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
