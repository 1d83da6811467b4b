package mqttsn

import (
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

func TestConfigZeroValueIsTheDefault(t *testing.T) {
	t.Parallel()
	var c Config
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	d := c.withDefaults()
	if d.GatewayID != 1 || d.RetryInterval != 10*time.Second || d.MaxRetries != 4 || d.MaxInflight != 1 ||
		d.MTU != 1400 || d.Queue != 1000 || d.MaxAwakeMessages != Unlimited || d.UnsolicitedRate != 10 || !*d.LongNameQoSM1 {
		t.Errorf("%+v", d)
	}
	if err := d.Validate(); err != nil {
		t.Error(err)
	}
}

func TestConfigNamesTheKeyThatIsWrong(t *testing.T) {
	t.Parallel()
	for key, c := range map[string]Config{
		"retry_interval":     {RetryInterval: time.Millisecond},
		"max_retries":        {MaxRetries: 21},
		"keepalive_factor":   {KeepAliveFactor: 0.5},
		"max_keepalive":      {MaxKeepAlive: 100 * time.Hour},
		"max_client_id":      {MaxClientID: 1025},
		"max_packet":         {MaxPacket: 10},
		"mtu":                {MTU: 65535},
		"max_inflight":       {MaxInflight: 17},
		"roaming":            {Roaming: "always"},
		"wake_connect_clean": {WakeConnectClean: "no"},
		"qos_m1_refusal":     {QoSM1Refusal: "loud"},
		"address_proof":      {AddressProof: "maybe"},
		"predefined":         {Predefined: map[uint16]string{1025: "a"}},
		"predefined_clients": {PredefinedClients: map[string]map[uint16]string{"x": {1: "a/#"}}},
		"forwarders":         {Forwarders: []string{"10.0.0.0"}},
		"unsolicited_rate":   {UnsolicitedRate: -2},
	} {
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), key+":") {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestRatesAndCountsAsText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Rate{"10/s": 10, "10": 10, "unlimited": Unlimited} {
		var r Rate
		if err := r.UnmarshalText([]byte(text)); err != nil || r != want {
			t.Errorf("%s: %d, %v", text, r, err)
		}
		again, _ := r.MarshalText()
		var s Rate
		if err := s.UnmarshalText(again); err != nil || s != r {
			t.Errorf("%s came back as %s", text, again)
		}
	}
	for _, bad := range []string{"0", "-1", "", "x/s", "0/s"} {
		var r Rate
		var m Max
		if r.UnmarshalText([]byte(bad)) == nil || m.UnmarshalText([]byte(bad)) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestEveryReasonHasACode(t *testing.T) {
	t.Parallel()
	want := map[core.Reason]packet.Code{
		core.OK: 0, core.NoReceiver: 0, core.Normal: 0,
		core.Quota: 1, core.QueueFull: 1, core.RateExceeded: 1, core.Busy: 1, core.Unavailable: 1, core.DiskFull: 1,
		core.ShuttingDown: 1, core.Moved: 1, core.SlowConsumer: 1, core.TakenOver: 1, core.Internal: 1,
	}
	for _, r := range core.Reasons() {
		c, listed := want[r]
		if !listed {
			c = packet.NotSupported
		}
		if got := code(r, false); got != c {
			t.Errorf("%v: %v, want %v", r, got, c)
		}
		if r == core.NotAuthorized || r == core.NotAuthenticated {
			c = 0x80
		}
		if got := code(r, true); got != c {
			t.Errorf("%v with emqx_codes: %v, want %v", r, got, c)
		}
	}
}

func TestPatternsOfPredefinedClients(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		pattern, s string
		want       bool
	}{
		{"cl1", "cl1", true}, {"cl1", "cl12", false}, {"cl*", "cl", true}, {"*1", "cl1", true}, {"*1", "cl2", false},
		{"a*b*c", "axbyc", true}, {"a*b*c", "axbyd", false}, {"", "", true}, {"", "x", false}, {"*", "", true},
	} {
		if got := match(x.pattern, x.s); got != x.want {
			t.Errorf("%q on %q: %v", x.pattern, x.s, got)
		}
	}
}
