package mqttsn

import (
	"fmt"
	"net/netip"
	"time"
)

// Config is the section mqttsn of the configuration. The zero value of a
// field means its documented default.
type Config struct {
	GatewayID uint8 `yaml:"gateway_id"` // 1..255; default 1

	RetryInterval  time.Duration `yaml:"retry_interval"`  // T_RETRY, 1s..5m; default 10s
	MaxRetries     int           `yaml:"max_retries"`     // N_RETRY, 1..20; default 4
	CongestionWait time.Duration `yaml:"congestion_wait"` // T_WAIT, 1s..1h; default 5m

	KeepAliveFactor    float64       `yaml:"keepalive_factor"`     // 1.0..3.0; default 1.5
	SleepFactor        float64       `yaml:"sleep_factor"`         // 1.0..3.0; default 1.5
	MaxKeepAlive       time.Duration `yaml:"max_keepalive"`        // 1s..65535s; default 18h
	AllowZeroKeepAlive bool          `yaml:"allow_zero_keepalive"` // a Duration of 0 means no keep-alive, not max_keepalive
	MaxSleep           time.Duration `yaml:"max_sleep"`            // 1s..65535s; default 18h12m15s
	SessionExpiry      time.Duration `yaml:"session_expiry"`       // of sessions that are not clean, 1s..365d; default 12h

	MaxClients           int `yaml:"max_clients"`             // default 100000
	MaxClientsPerSource  int `yaml:"max_clients_per_source"`  // clients of one address; default 1000
	MaxNodesPerForwarder int `yaml:"max_nodes_per_forwarder"` // default 1000

	MaxClientID        int  `yaml:"max_client_id"`         // octets, 1..1024; default 64
	AllowEmptyClientID bool `yaml:"allow_empty_client_id"` // the id is then sn-ADDRESS
	MaxPacket          int  `yaml:"max_packet"`            // octets taken, 64..65535; default 65535
	MTU                int  `yaml:"mtu"`                   // octets sent, 64..65507; default 1400
	MaxTopics          int  `yaml:"max_topics_per_client"` // 1..10000; default 128
	MaxSubscriptions   int  `yaml:"max_subscriptions"`     // of a client, 1..10000; default 128
	MaxInflight        int  `yaml:"max_inflight"`          // 1..16; default 1
	Queue              int  `yaml:"queue"`                 // messages that wait for a client, the oldest dropped first; while it sleeps, of those of QoS 1 and 2; default 1000
	QueueQoS0          int  `yaml:"queue_qos0"`            // messages of QoS 0 that wait for a sleeping client besides, the oldest dropped first; 1..1000000; default 100
	MaxAwakeMessages   Max  `yaml:"max_awake_messages"`    // of one wake; default unlimited

	Roaming          string `yaml:"roaming"`            // off, asleep, any; default asleep. Over DTLS only the same identity moves; any moves an active client too, over DTLS alone
	WakeConnectClean string `yaml:"wake_connect_clean"` // ignore, honour; default ignore
	ProbeBeforeLost  bool   `yaml:"probe_before_lost"`  // PINGREQ to a client that is silent for its keep-alive

	QoSMinusOne   string `yaml:"qos_minus_one"`    // on, off; default on
	QoSM1Client   string `yaml:"qos_m1_client"`    // default mqttsn-anonymous
	QoSM1Refusal  string `yaml:"qos_m1_refusal"`   // puback, silent; default puback
	LongNameQoSM1 *bool  `yaml:"long_name_qos_m1"` // QoS -1 may carry a topic name of any length; default true

	Predefined        map[uint16]string            `yaml:"predefined"`         // id (1..1024) to topic
	PredefinedClients map[string]map[uint16]string `yaml:"predefined_clients"` // the same for a client id, or a pattern with '*'; wins

	Forwarders []string `yaml:"forwarders"` // CIDR list, or any, or none; default loopback, link-local, private

	AddressProof    string `yaml:"address_proof"`    // off, public, on; default public
	RatePerSource   Rate   `yaml:"rate_per_source"`  // datagrams of an unproven address; default 1000/s
	RatePerClient   Rate   `yaml:"rate_per_client"`  // datagrams of a client; default unlimited
	UnsolicitedRate Rate   `yaml:"unsolicited_rate"` // answers without session, per source; default 10/s

	AuthPacket bool `yaml:"auth_packet"` // take a user and password from the AUTH packet, over DTLS and from this machine. Who proves nothing has two seconds for it after CONNECT
	AllowPlain bool `yaml:"allow_plain"` // take AUTH from other machines without DTLS, too

	EMQXCodes   bool `yaml:"emqx_codes"`   // 80 instead of 03 for what is not authorized
	MultiPacket bool `yaml:"multi_packet"` // several packets in one datagram
}

// withDefaults fills the zero fields.
func (c Config) withDefaults() Config {
	def(&c.GatewayID, 1)
	def(&c.RetryInterval, 10*time.Second)
	def(&c.MaxRetries, 4)
	def(&c.CongestionWait, 5*time.Minute)
	def(&c.KeepAliveFactor, 1.5)
	def(&c.SleepFactor, 1.5)
	def(&c.MaxKeepAlive, 18*time.Hour)
	def(&c.MaxSleep, 65535*time.Second)
	def(&c.SessionExpiry, 12*time.Hour)
	def(&c.MaxClients, 100000)
	def(&c.MaxClientsPerSource, 1000)
	def(&c.MaxNodesPerForwarder, 1000)
	def(&c.MaxClientID, 64)
	def(&c.MaxPacket, 65535)
	def(&c.MTU, 1400)
	def(&c.MaxTopics, 128)
	def(&c.MaxSubscriptions, 128)
	def(&c.MaxInflight, 1)
	def(&c.Queue, 1000)
	def(&c.QueueQoS0, 100)
	def(&c.MaxAwakeMessages, Unlimited)
	def(&c.Roaming, "asleep")
	def(&c.WakeConnectClean, "ignore")
	def(&c.QoSMinusOne, "on")
	def(&c.QoSM1Client, "mqttsn-anonymous")
	def(&c.QoSM1Refusal, "puback")
	def(&c.AddressProof, "public")
	def(&c.RatePerSource, 1000)
	def(&c.RatePerClient, Unlimited)
	def(&c.UnsolicitedRate, 10)
	if c.LongNameQoSM1 == nil {
		on := true
		c.LongNameQoSM1 = &on
	}
	if c.Forwarders == nil {
		c.Forwarders = []string{"127.0.0.0/8", "::1/128", "169.254.0.0/16", "fe80::/10",
			"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"}
	}
	return c
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Validate names the first key that is out of range; a zero field is in range.
func (c *Config) Validate() error {
	d := c.withDefaults()
	for _, r := range []struct {
		key     string
		v       float64
		lo, hi  float64
		allowed string
	}{
		{"retry_interval", d.RetryInterval.Seconds(), 1, 300, "1s..5m"},
		{"max_retries", float64(d.MaxRetries), 1, 20, "1..20"},
		{"congestion_wait", d.CongestionWait.Seconds(), 1, 3600, "1s..1h"},
		{"keepalive_factor", d.KeepAliveFactor, 1, 3, "1.0..3.0"},
		{"sleep_factor", d.SleepFactor, 1, 3, "1.0..3.0"},
		{"max_keepalive", d.MaxKeepAlive.Seconds(), 1, 65535, "1s..65535s"},
		{"max_sleep", d.MaxSleep.Seconds(), 1, 65535, "1s..65535s"},
		{"session_expiry", d.SessionExpiry.Hours(), 1.0 / 3600, 24 * 365, "1s..8760h"},
		{"max_clients", float64(d.MaxClients), 1, 10e6, "1..10000000"},
		{"max_clients_per_source", float64(d.MaxClientsPerSource), 1, 10e6, "1..10000000"},
		{"max_nodes_per_forwarder", float64(d.MaxNodesPerForwarder), 1, 10e6, "1..10000000"},
		{"max_client_id", float64(d.MaxClientID), 1, 1024, "1..1024"},
		{"max_packet", float64(d.MaxPacket), 64, 65535, "64..65535"},
		{"mtu", float64(d.MTU), 64, 65507, "64..65507"},
		{"max_topics_per_client", float64(d.MaxTopics), 1, 10000, "1..10000"},
		{"max_subscriptions", float64(d.MaxSubscriptions), 1, 10000, "1..10000"},
		{"max_inflight", float64(d.MaxInflight), 1, 16, "1..16"},
		{"queue", float64(d.Queue), 1, 1e6, "1..1000000"},
		{"queue_qos0", float64(d.QueueQoS0), 1, 1e6, "1..1000000"},
		{"max_awake_messages", float64(d.MaxAwakeMessages), Unlimited, 1e6, "1..1000000 or unlimited"},
		{"rate_per_source", float64(d.RatePerSource), Unlimited, 1e9, "1/s and more, or unlimited"},
		{"rate_per_client", float64(d.RatePerClient), Unlimited, 1e9, "1/s and more, or unlimited"},
		{"unsolicited_rate", float64(d.UnsolicitedRate), Unlimited, 1e9, "1/s and more, or unlimited"},
	} {
		if r.v < r.lo || r.v > r.hi {
			return fmt.Errorf("%s: out of range %s", r.key, r.allowed)
		}
	}
	return d.validateWords()
}

func (c *Config) validateWords() error {
	for _, w := range []struct {
		key, v string
		words  [3]string
	}{
		{"roaming", c.Roaming, [3]string{"off", "asleep", "any"}},
		{"wake_connect_clean", c.WakeConnectClean, [3]string{"ignore", "honour"}},
		{"qos_minus_one", c.QoSMinusOne, [3]string{"on", "off"}},
		{"qos_m1_refusal", c.QoSM1Refusal, [3]string{"puback", "silent"}},
		{"address_proof", c.AddressProof, [3]string{"off", "public", "on"}},
	} {
		if w.v == "" || w.v != w.words[0] && w.v != w.words[1] && w.v != w.words[2] {
			return fmt.Errorf("%s: %q is none of %q", w.key, w.v, w.words)
		}
	}
	if _, err := prefixes(c.Forwarders); err != nil {
		return fmt.Errorf("forwarders: %w", err)
	}
	if err := validPredefined(c.Predefined); err != nil {
		return fmt.Errorf("predefined: %w", err)
	}
	for id, table := range c.PredefinedClients {
		if err := validPredefined(table); err != nil {
			return fmt.Errorf("predefined_clients: %s: %w", id, err)
		}
	}
	return nil
}

// prefixes reads a list of address ranges; any is everything, none nothing.
func prefixes(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		switch s {
		case "any":
			out = append(out, netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0"))
		case "none":
			return nil, nil
		default:
			p, err := netip.ParsePrefix(s)
			if err != nil {
				return nil, err
			}
			out = append(out, p)
		}
	}
	return out, nil
}

func validPredefined(table map[uint16]string) error {
	for id, name := range table {
		if id < 1 || id > maxPredefined {
			return fmt.Errorf("%d: out of range 1..%d", id, maxPredefined)
		}
		if !validName([]byte(name)) {
			return fmt.Errorf("%d: %q is not a topic", id, name)
		}
	}
	return nil
}
