package gateway

import (
	"bytes"
	"fmt"
	"log/slog"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/config"
)

// amqpLogin is AMQP's handshake up to connection.open, as guest.
var amqpLogin = "AMQP\x00\x00\x09\x01" +
	amqpMethod("\x00\x0a\x00\x0b\x00\x00\x00\x00\x05PLAIN\x00\x00\x00\x0c\x00guest\x00guest\x05en_US") +
	amqpMethod("\x00\x0a\x00\x1f\x07\xff\x00\x02\x00\x00\x00\x00") + amqpMethod("\x00\x0a\x00\x28\x01/\x00\x00")

func amqpMethod(arguments string) string {
	return "\x01\x00\x00\x00\x00\x00" + string([]byte{byte(len(arguments))}) + arguments + "\xce"
}

const allListeners = "listeners: ['mqtt://127.0.0.1:0', 'coap://127.0.0.1:0', 'stomp://127.0.0.1:0', 'mqttsn://127.0.0.1:0', 'amqp://127.0.0.1:0', 'http://127.0.0.1:0']\n"

// The order of allListeners.
const (
	atMQTT = iota
	atCoAP
	atSTOMP
	atSN
	atAMQP
	atHTTP
)

func TestSecurity_L5_AQuotaOfConnectionsIsToldInEachProtocolsWords(t *testing.T) {
	t.Parallel()
	r := openFile(t, allListeners+"namespaces: {default: {quota: {connections: 1}}}\n")
	first := dialTo(t, r.Gateway, atMQTT)
	first.send(connect5 + "c5")
	first.want("CONNACK", "\x00\x00")
	refused := func() {
		t.Helper()
		for _, x := range []struct {
			what      string
			at        int
			send, get string
		}{
			{"MQTT 5", atMQTT, connect5 + "n5", "\x00\x97"},
			{"MQTT 3", atMQTT, connect3 + "n3", "\x20\x02\x00\x03"},
			{"CoAP", atCoAP, putA, "\xa3"},
			{"STOMP", atSTOMP, stompHello, "ERROR"},
			{"MQTT-SN", atSN, "\x08\x04\x04\x01\x00\x3csn", "\x03\x05\x01"},
			{"AMQP", atAMQP, amqpLogin, "\x00\x0a\x00\x32\x01\x40"}, // connection.close 320
		} {
			c := dialTo(t, r.Gateway, x.at)
			c.send(x.send)
			c.want(x.what, x.get)
			c.Close()
		}
	}
	refused()
	_, body := get(t, r.Listening()[atHTTP].URL+"/metrics")
	for _, line := range []string{`entrepot_namespace_limit_refused_total{limit="connections",namespace="default"} 6`, `entrepot_limit_refused_total{limit="connections",protocol="core"} 6`} {
		if !strings.Contains(body, line) {
			t.Errorf("no %q in %q", line, regexp.MustCompile("(?m)^.*limit=.*$").FindAllString(body, -1))
		}
	}
	same := r.listenersText(t)
	r.reload(same+"namespaces: {default: {quota: {connections: 2}}}\n", "")
	second := dialTo(t, r.Gateway, atSTOMP)
	second.send(stompHello)
	second.want("CONNECTED", "CONNECTED")
	refused()
	r.reload(same+"namespaces: {default: {quota: {connections: 1}}}\n", "") // both stay
	first.send("\xc0\x00")
	first.want("PINGRESP", "\xd0\x00")
	second.send("SEND\ndestination:/topic/a\nreceipt:1\n\n\x00")
	second.want("RECEIPT", "RECEIPT")
}

// listenersText are the listeners that are bound, so that a reload keeps them.
func (r *reloadable) listenersText(t *testing.T) string {
	t.Helper()
	return "listeners: ['" + strings.Join(r.urls(), "', '") + "']\n"
}

func TestLimitsOfARoleAreRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]core.PrincipalLimits{
		"roles: {r: ['pub a']}": {},
		"roles: {r: 'pub a'}":   {},
		"roles: {r: {rules: ['pub a'], limits: {connections: 1, subscriptions: 2, sessions_offline: 3, retained: 4, publish_rate: 5/s, publish_bytes_rate: 6KiB}}}": {
			Connections: 1, Subscriptions: 2, Sessions: 3, Retained: 4, PublishRate: 5, PublishBytesRate: 6 << 10},
		"roles: {r: {rules: 'pub a', limits: {connections: unlimited, publish_rate: unlimited, publish_bytes_rate: unlimited}}}": {},
		"roles: {r: {rules: 'pub a', limits: {connections: 5}}, r2: {limits: {connections: 3, retained: 7}}}":                    {Connections: 3, Retained: 7},
	} {
		r := openFile(t, "listeners: ['stomp://127.0.0.1:0?anonymous=true']\n"+text+"\n")
		p := &core.Principal{User: "u", Method: "jwt", Roles: []string{"r", "r2", "unknown"}}
		if got := r.access.Limits(p); got != want {
			t.Errorf("%s: %+v", text, got)
		}
		if r.access.Metered() != (want.PublishRate > 0) {
			t.Errorf("%s: metered", text)
		}
	}
	for text, want := range map[string]string{
		"roles: {r: {rules: ['pub a'], limits: {connections: 0}}}": "at least 1",
		"roles: {r: {rules: ['pub a'], limit: {}}}":                `did you mean "limits"?`,
		"roles: {r: {rules: ['nothing a']}}":                       "nothing",
		"roles: {r: {limits: {publish_rate: 0/s}}}":                "at least 1/s",
	} {
		in := config.Input{Set: []string{"node.data=memory"}, Sections: Sections(), Protocols: Protocols()}
		in.File = writeText(t, text)
		if _, err := config.Load(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSecurity_E9_ALoopOfImportsIsRefusedAtStartAndReload(t *testing.T) {
	t.Parallel()
	const fine = "namespaces: {a: {export: ['pub/#']}, b: {import: [{from: a, filter: 'pub/#', as: a}]}}\n"
	const loop = "namespaces:\n  a: {export: ['#'], import: [{from: b, filter: '#'}]}\n  b: {export: ['#'], import: [{from: a, filter: '#'}]}\n"
	in := config.Input{Set: []string{"node.data=memory"}, Sections: Sections(), Protocols: Protocols(), File: writeText(t, loop)}
	if _, err := config.Load(in); err == nil || !strings.Contains(err.Error(), "topics would go round: b -> a -> b") || !strings.Contains(err.Error(), "import[0]") {
		t.Errorf("start: %v", err)
	}
	var log transcript
	r := openLogged(t, "listeners: ['stomp://127.0.0.1:0']\n"+fine, slog.New(slog.NewTextHandler(&log, nil)))
	r.reload(r.listenersText(t)+loop, "topics would go round")
	if !strings.Contains(log.String(), "msg=config.rejected") {
		t.Errorf("%q", log.String())
	}
	for text, want := range map[string]string{
		"namespaces: {a: {import: [{from: a, filter: x}]}}":        "does not import from itself",
		"namespaces: {a: {export: ['a#']}}":                        "no topic filter",
		"namespaces: {'a/+': {}}":                                  "cannot be the name",
		"namespaces: {a: {quota: {connections: 0}}}":               "at least 1",
		"namespaces: {a: {quota: {conections: 1}}}":                `did you mean "connections"?`,
		"namespaces: {a: {import: [{from: b, filer: x}]}}":         `did you mean "filter"?`,
		"namespaces: {a: {import: [{from: b, filter: '$SYS/#'}]}}": "stays in its namespace",
	} {
		r.reload(r.listenersText(t)+text+"\n", want)
	}
	problems := func() string {
		r.write(r.listenersText(t) + "namespaces: {a: {export: ['x']}, b: {import: [{from: a, filter: y}, {from: nobody, filter: y}]}}\n")
		return fmt.Sprint(r.Reload(t.Context()))
	}()
	if !strings.Contains(problems, `a exports nothing that "y" matches`) || !strings.Contains(problems, "nobody exports nothing") {
		t.Errorf("%s", problems)
	}
}

func TestSecurity_E9_ImportsCrossBetweenListenersOfTwoNamespaces(t *testing.T) {
	t.Parallel()
	const tenants = "namespaces: {hq: {export: ['cmd/#']}, plant: {import: [{from: hq, filter: '#', as: hq}]}}\n"
	text := "listeners: ['stomp://127.0.0.1:0?namespace=hq', 'stomp://127.0.0.1:0?namespace=plant']\n"
	r := openFile(t, text+tenants)
	urls := r.urls()
	hq, plant := dialStomp(t, urls[0]), dialStomp(t, urls[1])
	if f := plant.exchange("SUBSCRIBE\nid:1\ndestination:/topic/#\nreceipt:s\n\n\x00"); !strings.HasPrefix(f, "RECEIPT") {
		t.Fatal(f)
	}
	send := func(topic string) {
		t.Helper()
		if f := hq.exchange("SEND\ndestination:/topic/" + topic + "\nreceipt:1\n\n" + topic + "\x00"); !strings.HasPrefix(f, "RECEIPT") {
			t.Fatal(f)
		}
	}
	send("secret")
	send("cmd")
	if f := plant.frame(); !strings.Contains(f, "destination:/topic/hq.cmd\n") && !strings.Contains(f, "destination:/topic/hq/cmd\n") || !strings.HasSuffix(f, "cmd\x00") {
		t.Errorf("%q", f)
	}
	listeners := fmt.Sprintf("listeners: [{url: '%s', namespace: hq}, {url: '%s', namespace: plant}]\n", urls[0], urls[1])
	r.reload(listeners, "")
	send("cmd")
	if f := plant.exchange("BEGIN\ntransaction:t\nreceipt:b\n\n\x00"); !strings.HasPrefix(f, "RECEIPT") {
		t.Errorf("%q", f) // nothing came before
	}
	r.reload(listeners+tenants, "")
	send("cmd/2")
	if f := plant.frame(); !strings.HasSuffix(f, "cmd/2\x00") {
		t.Errorf("%q", f)
	}
}

func writeText(t *testing.T, text string) string {
	t.Helper()
	r := &reloadable{t: t, file: t.TempDir() + "/entrepot.yaml"}
	r.write(text)
	return r.file
}

func TestSecurity_LimitsOfAListenerHoldForItAlone(t *testing.T) {
	t.Parallel()
	r := openFile(t, "listeners: [{url: 'mqtt://127.0.0.1:0', limits: {connections: 1, message_bytes: 1KiB, client_id_bytes: 30, publish_rate: 5/s}}, 'mqtt://127.0.0.1:0']\nlimits: {client_id_bytes: 25}\n")
	urls := r.urls()
	big := "\x30\x84\x10\x00\x01a\x00" + strings.Repeat("x", 2048)
	limited, free := dialTo(t, r.Gateway, 0), dialTo(t, r.Gateway, 1)
	for i, c := range []*wire{limited, free} {
		c.send(connect5 + "c" + string(rune('0'+i)))
		c.want("CONNACK", "\x00\x00")
	}
	second := dialTo(t, r.Gateway, 0)
	second.send(connect5 + "n5")
	second.want("CONNACK 0x97", "\x00\x97")
	other := dialTo(t, r.Gateway, 1)
	other.send("\x10\x28\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x1b" + strings.Repeat("n", 27)) // the smaller of 25 and 30
	other.want("CONNACK 0x85", "\x00\x85")
	free.send(big + "\xc0\x00")
	free.want("PINGRESP", "\xd0\x00")
	limited.send(big)
	limited.want("DISCONNECT 0x95", "\x95")
	for _, x := range []struct {
		own  *config.ListenerLimits
		want int
	}{{nil, 1000}, {&config.ListenerLimits{PublishRate: 5}, 5}, {&config.ListenerLimits{PublishRate: 5000}, 1000}} {
		l := DefaultLimits()
		l.PublishRate = 1000
		if got := l.of(x.own).PublishRate; got != x.want {
			t.Errorf("the rate is %d, want %d", got, x.want)
		}
	}
	stays := dialTo(t, r.Gateway, 1)
	stays.send(connect5 + "s5")
	stays.want("CONNACK", "\x00\x00")
	r.reload(fmt.Sprintf("listeners: ['%s', {url: '%s', limits: {connections: 1}}]\n", urls[0], urls[1]), "")
	again := dialTo(t, r.Gateway, 0)
	again.send(connect5 + "a5")
	again.want("CONNACK", "\x00\x00")
	more := dialTo(t, r.Gateway, 1)
	more.send(connect5 + "m5")
	more.want("CONNACK 0x97", "\x00\x97")
	stays.send("\xc0\x00")
	stays.want("PINGRESP", "\xd0\x00")
}

func TestSecurity_L31_TheRateOfTheLogIsReloaded(t *testing.T) {
	t.Parallel()
	var text transcript
	t.Cleanup(func() { // after the gateway's end, which tells what was held back
		if !strings.Contains(text.String(), "msg=log.suppressed event=few") {
			t.Error("no sum")
		}
	})
	r := openLogged(t, "listeners: ['stomp://127.0.0.1:0']\nlimits: {log_rate: 3/s}\n", slog.New(slog.NewTextHandler(&text, nil)))
	lines := func(event string) int {
		for range 20 {
			r.log.Info(event)
		}
		return int(20 - r.metrics.Counter("log_suppressed_total", event).Load())
	}
	few := lines("few")
	r.reload("listeners: ['"+r.urls()[0]+"']\nlimits: {log_rate: 1000/s}\n", "")
	many := lines("many")
	r.reload("listeners: ['"+r.urls()[0]+"']\nlimits: {log_rate: unlimited}\n", "")
	if few < 3 || few > 10 || many != 20 { // a slow machine may have earned a few more
		t.Errorf("%d and %d lines", few, many)
	}
}

// transcript is a log that several goroutines write.
type transcript struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

func TestC27_MemoryBoundsAreSummedUpAndUnlimitedIsListed(t *testing.T) {
	before := debug.SetMemoryLimit(3 << 30)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	check := func(text string) string {
		t.Helper()
		r := &reloadable{t: t, file: writeText(t, "listeners: ['stomp://127.0.0.1:0']\n"+text)}
		c, sections, problems := r.read()
		if problems.Failed() {
			t.Fatal(problems)
		}
		var list []string
		for _, p := range Check(t.Context(), c, sections, CheckOptions{}) {
			if p.Code == config.CodeLimits && p.Path != "limits.connections" {
				list = append(list, p.Path+": "+p.Message)
			}
		}
		slices.Sort(list)
		return strings.Join(list, "\n")
	}
	for text, want := range map[string]string{
		"limits: {connections: 10}\n": "",
		"limits: {queue_bytes: 2GiB}\nauth: {hash_workers: 1}\n": "limits: limits: 3219MiB together (limits.preauth.bytes 64MiB, auth.hash_workers 19MiB, coap.block_memory 64MiB, " +
			"limits.retained_bytes 1GiB, limits.queue_bytes 2GiB), and the process may have 3GiB of memory",
		"limits: {retained_bytes: 4GiB}\n": "limits.retained_bytes: limits.retained_bytes: 4GiB is more than the 3GiB of memory that the process may have",
		"limits: {drain: unlimited, accept_rate: unlimited}\nnamespaces: {default: {quota: {sessions: unlimited}}}\n": "limits.accept_rate: limits.accept_rate is unlimited\n" +
			"limits.drain: limits.drain is unlimited\nnamespaces.default.quota.sessions: namespaces.default.quota.sessions is unlimited",
		"namespaces: {plant: {quota: {queue_bytes: 100MiB, retained_bytes: 1MiB}}}\n": "",
	} {
		if got := check(text); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
	}
	if got := check("namespaces: {plant: {quota: {queue_bytes: 2GiB}}}\n"); !strings.Contains(got, "namespaces.plant.quota.queue_bytes 2GiB") {
		t.Error(got)
	}
}

func TestSecurity_L11_LimitsOfARoleAreReloadedWithoutDroppingAnybody(t *testing.T) {
	t.Parallel()
	role := func(limits string) string {
		return "roles: {anonymous: {rules: ['pubsub #'], limits: {" + limits + "}}}\n"
	}
	r := openFile(t, "listeners: ['mqtt://127.0.0.1:0?anonymous=true']\n"+role("subscriptions: 1, connections: 1"))
	listeners := "listeners: ['" + r.urls()[0] + "?anonymous=true']\n"
	c := dialTo(t, r.Gateway, 0)
	c.send(connect5 + "c5")
	c.want("CONNACK", "\x00\x00")
	subscribe := func(id, topic, want string) {
		t.Helper()
		c.send("\x82\x07\x00" + id + "\x00\x00\x01" + topic + "\x01")
		c.want("SUBACK", want)
	}
	subscribe("\x01", "a", "\x90\x04\x00\x01\x00\x01")
	subscribe("\x02", "b", "quota exceeded\x97")
	second := dialTo(t, r.Gateway, 0)
	second.send(connect5 + "d5")
	second.want("CONNACK 0x97", "\x00\x97")
	r.reload(listeners+role("subscriptions: 2"), "")
	subscribe("\x03", "b", "\x90\x04\x00\x03\x00\x01")
	subscribe("\x04", "c", "quota exceeded\x97")
	third := dialTo(t, r.Gateway, 0)
	third.send(connect5 + "d5")
	third.want("CONNACK", "\x00\x00")
}

func TestSecurity_L22_APublisherBeyondTheRateOfItsNamespaceIsReadNoFurther(t *testing.T) {
	t.Parallel()
	r := openFile(t, "listeners: ['mqtt://127.0.0.1:0']\nnamespaces: {default: {quota: {publish_rate: 5/s}}}\n")
	a, b := dialTo(t, r.Gateway, 0), dialTo(t, r.Gateway, 0)
	for i, c := range []*wire{a, b} {
		c.send(connect5 + "c" + string(rune('0'+i)))
		c.want("CONNACK", "\x00\x00")
	}
	began := time.Now()
	for id := range 8 { // each alone would have its answers at once but for the last few
		for _, c := range []*wire{a, b} {
			c.send("\x32\x07\x00\x01a\x00" + string(rune(id+1)) + "\x00x")
		}
	}
	for _, c := range []*wire{a, b} {
		c.want("the last PUBACK", "\x00\x08\x10")
	}
	if d := time.Since(began); d < 2*time.Second { // 5 at once, 11 more at 5/s
		t.Errorf("16 publishes at 5/s took %v", d)
	}
	paused := r.metrics.Counter("reading_paused_total", "mqtt").Load()
	if paused == 0 {
		t.Error("nobody was paused")
	}
	r.reload("listeners: ['"+r.urls()[0]+"']\n", "")
	for id := range 200 {
		a.send("\x32\x07\x00\x01a\x00" + string([]byte{byte(id + 1)}) + "\x00x")
	}
	a.want("the last PUBACK", "\x00\xc8\x10")
	if n := r.metrics.Counter("reading_paused_total", "mqtt").Load(); n > paused+1 { // the pause that was under way
		t.Errorf("%d pauses without a quota", n-paused)
	}
}

// Each namespace has its gauges; beyond a hundred they are summed up.
func TestMetricsOfNamespacesAreBounded(t *testing.T) {
	t.Parallel()
	var all []core.NamespaceStats
	for i := range 150 {
		all = append(all, core.NamespaceStats{Name: fmt.Sprintf("n%03d", i), Subscriptions: 1, Offline: 2})
	}
	all = append(all, core.NamespaceStats{Name: core.DefaultNamespace, Subscriptions: 7})
	got := map[string]float64{}
	new(Gateway).namespaces(func(name string, v float64, labels ...string) { got[name+" "+strings.Join(labels, " ")] = v }, all)
	for series, want := range map[string]float64{
		"entrepot_subscriptions default": 7, "entrepot_subscriptions n000": 1, "entrepot_subscriptions n098": 1,
		"entrepot_subscriptions other": 51, "entrepot_sessions other offline": 102, "entrepot_sessions n000 offline": 2,
	} {
		if got[series] != want {
			t.Errorf("%s is %v, want %v", series, got[series], want)
		}
	}
	if _, ok := got["entrepot_subscriptions n099"]; ok || len(got) != 101*11 {
		t.Errorf("%d series", len(got))
	}
}
