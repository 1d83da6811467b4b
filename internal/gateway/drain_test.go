package gateway

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// mqttClient connects a client of 5.0 and returns what answers it.
func mqttClient(t *testing.T, g *Gateway, id string) (net.Conn, []byte) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(g.Listening()[0].URL, "mqtt://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	p := packet.Connect{Version: packet.V5, CleanStart: true, ClientID: []byte(id)}
	if _, err := c.Write(p.AppendTo(nil, packet.V5)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 256)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return c, b[:n]
}

func TestMN1_TheGatewayDrainsWhileItRuns(t *testing.T) {
	g, err := open(t, []string{"mqtt://127.0.0.1:0", "http://127.0.0.1:0"}, "mqtt.server_reference=other:1883 [::1]:1884", "mqtt.drain_rate=1000/s")
	if err != nil {
		t.Fatal(err)
	}
	stop := running(t, g)
	old, _ := mqttClient(t, g, "old")
	if !g.Drain(t.Context()) {
		t.Error("not complete")
	}
	if b, _ := io.ReadAll(old); !bytes.HasPrefix(b, []byte{0xe0}) || b[2] != 0x9c || !bytes.Contains(b, []byte("other:1883 [::1]:1884")) {
		t.Errorf("% x", b)
	}
	if _, b := mqttClient(t, g, "new"); b[0] != 0x20 || b[3] != 0x9c || !bytes.Contains(b, []byte("other:1883 [::1]:1884")) {
		t.Errorf("% x", b)
	}
	api := g.Listening()[1].URL
	if code, text := get(t, api+"/readyz"); code != 503 || !strings.Contains(text, "draining") {
		t.Error(code, text)
	}
	if _, text := get(t, api+"/metrics"); !strings.Contains(text, `entrepot_mqtt_redirects_total{code="9c"} 2`) {
		t.Error("not counted")
	}
	g.Undrain()
	if _, b := mqttClient(t, g, "new"); b[3] != 0 || slices.Contains(g.Problems(), "draining") {
		t.Errorf("% x", b)
	}
	stop()
}

func TestMN1_C5_AStopSaysWhereToGo(t *testing.T) {
	for reference, code := range map[string]byte{"other": 0x9c, "": 0x8b} {
		g, err := open(t, []string{"mqtt://127.0.0.1:0"}, "mqtt.server_reference="+reference)
		if err != nil {
			t.Fatal(err)
		}
		stop := running(t, g)
		c, _ := mqttClient(t, g, "c")
		stopped := make(chan struct{})
		go func() { stop(); close(stopped) }()
		b, err := io.ReadAll(c)
		if err != nil || len(b) < 3 || b[0] != 0xe0 || b[2] != code || bytes.Contains(b, []byte("other")) != (reference != "") {
			t.Errorf("%q: % x, %v", reference, b, err)
		}
		c.Close()
		<-stopped
	}
}

func TestG3_LinesThatAreHeldBackAreCounted(t *testing.T) {
	in := config.Input{Listen: []string{"mqtt://127.0.0.1:0"}, Set: []string{"node.data=memory"}, Sections: Sections(), Protocols: Protocols()}
	c, err := config.Load(in)
	if err != nil {
		t.Fatal(err)
	}
	text := new(buffer)
	g, err := Open(Options{Config: c, Sections: in.Sections, Log: slog.New(slog.NewTextHandler(text, nil))})
	if err != nil {
		t.Fatal(err)
	}
	stop := running(t, g)
	for range 120 {
		g.log.Info("client.connected")
	}
	stop()
	held := g.metrics.Counter("log_suppressed_total", "client.connected").Load()
	written := strings.Count(text.String(), "msg=client.connected\n")
	if held == 0 || written+int(held) != 120 {
		t.Errorf("%d written, %d held back", written, held)
	}
	if !strings.Contains(text.String(), "msg=log.suppressed event=client.connected") {
		t.Error("what was held back is not told")
	}
}

type buffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestMQTT_7_WillsReachTheMetricsPage(t *testing.T) {
	g, err := open(t, []string{"mqtt://127.0.0.1:0", "http://127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	stop := running(t, g)
	c, err := net.Dial("tcp", strings.TrimPrefix(g.Listening()[0].URL, "mqtt://"))
	if err != nil {
		t.Fatal(err)
	}
	p := packet.Connect{Version: packet.V5, CleanStart: true, ClientID: []byte("c"), HasWill: true, WillTopic: []byte("w")}
	p.WillProperties.SetNum(packet.WillDelayInterval, 1000)
	p.Properties.SetNum(packet.SessionExpiryInterval, 1000)
	if _, err := c.Write(p.AppendTo(nil, packet.V5)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 64)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	deadline := time.Now().Add(20 * time.Second)
	for text := ""; !strings.Contains(text, "entrepot_mqtt_wills_pending 1"); _, text = get(t, g.Listening()[1].URL+"/metrics") {
		if time.Now().After(deadline) {
			t.Fatal(text)
		}
	}
	_, text := get(t, g.Listening()[1].URL+"/metrics")
	for _, result := range []string{"published", "cancelled", "denied", "expired"} {
		if !strings.Contains(text, `entrepot_mqtt_wills_total{result="`+result+`"} 0`) {
			t.Error(result)
		}
	}
	stop()
}
