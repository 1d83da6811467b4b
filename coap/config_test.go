package coap

import (
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/limit"
)

func TestZeroConfigIsTheDocumentedDefault(t *testing.T) {
	t.Parallel()
	c := Config{}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	d := c.withDefaults()
	if d.AckTimeout != 2*time.Second || d.AckRandomFactor != 1.5 || d.MaxRetransmit != 4 || d.NStart != 1 ||
		d.DedupPerEndpoint != 64 || d.MaxDatagram != 1152 || d.BlockSize != 1024 || d.MaxBody != 1<<20 || d.Prefix != "ps" ||
		d.RatePerSource != 1000 || d.RatePerClient != limit.Unlimited {
		t.Fatalf("%+v", d)
	}
}

func TestConfigOutOfRangeIsRefusedByName(t *testing.T) {
	t.Parallel()
	for key, set := range map[string]func(*Config){
		"ack_timeout":       func(c *Config) { c.AckTimeout = time.Millisecond },
		"ack_random_factor": func(c *Config) { c.AckRandomFactor = 0.5 },
		"block_size":        func(c *Config) { c.BlockSize = 2048 },
		"max_options":       func(c *Config) { c.MaxOptions = 256 },
		"nstart":            func(c *Config) { c.NStart = -1 },
		"notify":            func(c *Config) { c.Notify = "never" },
		"publish_qos":       func(c *Config) { c.PublishQoS = "3" },
		"prefix":            func(c *Config) { c.Prefix = strings.Repeat("p", 256) },
		"rate_per_source":   func(c *Config) { c.RatePerSource = -2 },
		"rate_per_client":   func(c *Config) { c.RatePerClient = -2 },
		"observer_check":    func(c *Config) { c.CheckEvery = 25 * time.Hour },
	} {
		c := Config{}
		set(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "coap."+key+":") {
			t.Errorf("%s: %v", key, err)
		}
	}
}
