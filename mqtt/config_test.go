package mqtt

import (
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/internal/config"
)

func TestValidateNamesTheWrongKey(t *testing.T) {
	t.Parallel()
	three, minus := 3, -1
	for key, c := range map[string]Config{
		"versions":            {Versions: []string{"3.1.1", "4"}},
		"max_keepalive":       {MaxKeepAlive: 65536},
		"max_qos":             {MaxQoS: &three},
		"receive_maximum":     {ReceiveMaximum: 65536},
		"inflight":            {Inflight: -1},
		"topic_alias_maximum": {TopicAliasMaximum: &minus},
		"maximum_packet_size": {MaximumPacketSize: 1 << 30},
		"session_expiry_max":  {SessionExpiryMax: -time.Second},
		"v3_session_expiry":   {V3SessionExpiry: -time.Second},
		"overlap":             {Overlap: "both"},
		"v3_denied":           {V3Denied: "drop"},
		"ws_path":             {WSPath: "mqtt"},
		"auth_methods":        {AuthMethods: []string{"SCRAM-SHA-256", ""}},
		"auto_queue_expiry":   {AutoQueueExpiry: -1},
		"delayed_max":         {DelayedMax: -1},
		"delayed_messages":    {DelayedMessages: -1},
		"server_reference":    {ServerReference: "a b:0"},
		"drain_rate":          {DrainRate: -1},
		"redirect_exempt":     {RedirectExempt: []string{"admin", ""}},
	} {
		err := c.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), "mqtt."+key+":") {
			t.Errorf("%s: %v", key, err)
		}
		if _, err := New(&adapters.Host{Metrics: adapters.NewMetrics()}, &c); err == nil {
			t.Errorf("%s: the room was made", key)
		}
	}
}

func TestTheZeroConfigIsTheDocumentedDefault(t *testing.T) {
	t.Parallel()
	var c Config
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	s := c.settings()
	if s.maxQoS != 2 || !s.retain || !s.wildcard || !s.shared || s.expiryMax != 7*24*time.Hour || s.v3Expiry != 7*24*time.Hour ||
		s.receiveMax != 1024 || s.inflight != 256 || s.aliasesIn != 64 || !s.aliasesOut || s.packetBytes != 16<<20 || !s.emptyID ||
		len(s.authMethods) != 1 || s.authMethods[0] != "SCRAM-SHA-256" || s.strict || !s.payloadCheck || s.each || s.queueQoS0 || s.v3DeniedCloses || !s.bridgeBit || s.wsPath != "/mqtt" || !s.versions[3] || !s.versions[5] ||
		s.delayed || s.delayedMax != 7*24*3600 || s.delayedMessages != 100_000 || s.places || s.idleQueue != 0 || len(s.auto) != 0 ||
		len(s.reference) > 0 || s.movedCode != 0x9c || s.drainRate != 100 || len(s.exempt) > 0 {
		t.Errorf("%+v", s)
	}
}

func TestAnEmptyListOfMethodsIsNotTheDefault(t *testing.T) {
	t.Parallel()
	c := new(Config)
	if _, err := config.Load(config.Input{Sections: map[string]any{"mqtt": c}, Set: []string{"mqtt.auth_methods=[]"}}); err != nil {
		t.Fatal(err)
	}
	if s := c.settings(); len(s.authMethods) != 0 {
		t.Errorf("%q", s.authMethods)
	}
}

func TestTheRegistrationMakesARoom(t *testing.T) {
	t.Parallel()
	reg := Registration()
	room, err := reg.New(&adapters.Host{Metrics: adapters.NewMetrics()}, reg.Config())
	if err != nil || room.Name() != "mqtt" {
		t.Fatal(room, err)
	}
	ws := room.(adapters.WebSocketRoom).WebSocket()
	if !ws.RequireSub || ws.Text || ws.Paths[0] != "/mqtt" || ws.Subprotos[0] != "mqtt" || ws.CloseOnText != 1003 {
		t.Errorf("%+v", ws)
	}
	if _, err := reg.New(&adapters.Host{}, nil); err == nil {
		t.Error("a room without a configuration")
	}
}
