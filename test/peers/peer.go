package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// peer is a kind of broker.
type peer struct {
	name    string
	pack    string // the Debian package that has it, "" if this program builds it
	start   func(b *bench, s *server, o serving) error
	version func(b *bench) string
}

// serving is how a broker is to run.
type serving struct {
	durable   bool // acknowledged means synced
	cores     []int
	protocols []string // beside mqtt
	set       []string // keys of entrepot's configuration
}

const (
	entrepot  = "entrepot"
	earlier   = "before" // another binary of entrepot
	mosquitto = "mosquitto"
	mochi     = "mochi"
	relayed   = "relay"
	rabbit    = "rabbitmq"
)

func peers() []peer {
	return []peer{
		{entrepot, "", startEntrepot, func(b *bench) string { return firstLine(b.entrepot, "version") }},
		{earlier, "", startEarlier, func(b *bench) string { return firstLine(b.before, "version") }},
		{mosquitto, "mosquitto", startMosquitto, func(*bench) string { return firstLine("mosquitto", "-h") }},
		{mochi, "", startMochi, func(*bench) string { return moduleVersion("github.com/mochi-mqtt/server/v2") }},
		{relayed, "", startRelay, func(*bench) string {
			return "test/peers/relay, one thread on a raw epoll with the hot wait, QoS 0 only"
		}},
		{bareStore, "", func(*bench, *server, serving) error { return nil }, func(*bench) string { return moduleVersion("github.com/cockroachdb/pebble/v2") }},
		{rabbit, "rabbitmq-server", startRabbit, func(*bench) string { return packageVersion("rabbitmq-server") }},
	}
}

// run starts a peer for one measurement.
func (b *bench) run(name string, o serving) (*server, error) {
	for _, p := range peers() {
		if p.name != name {
			continue
		}
		dir, err := scratch(name)
		if err != nil {
			return nil, err
		}
		if o.cores == nil {
			o.cores = b.brokerCores[:1]
		}
		s := &server{peer: p, dir: dir}
		if s.address, err = ports(append([]string{"mqtt"}, o.protocols...)...); err == nil {
			err = p.start(b, s, o)
		}
		if err != nil {
			s.stop()
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return s, nil
	}
	return nil, fmt.Errorf("no peer is called %q", name)
}

// startEntrepot lifts what bounds a benchmark with more clients than one address may usually have.
func startEntrepot(b *bench, s *server, o serving) error { return b.startBinary(b.entrepot, s, o) }

func startEarlier(b *bench, s *server, o serving) error { return b.startBinary(b.before, s, o) }

func (b *bench) startBinary(binary string, s *server, o serving) error {
	args := []string{"serve", "--data", "memory", "--log-level", "error", "--set", "log.connections=false", "--listen", "mqtt://" + s.address["mqtt"]}
	if o.durable {
		args[2] = filepath.Join(s.dir, "data")
	}
	for _, p := range o.protocols {
		url := p + "://" + s.address[p]
		if p == "mqtts" || p == "wss" {
			url += "?tls.cert=" + b.cert + "&tls.key=" + b.key
		}
		args = append(args, "--listen", url)
	}
	for _, kv := range o.set {
		args = append(args, "--set", kv)
	}
	return s.launch(exec.Command(binary, args...), o.cores, s.address["mqtt"])
}

func startMosquitto(b *bench, s *server, o serving) error {
	var c strings.Builder
	c.WriteString("per_listener_settings false\nallow_anonymous true\nlog_dest none\npersistence false\n" +
		"max_queued_messages 0\nmax_queued_bytes 0\nmax_inflight_messages 1000\nmax_inflight_bytes 0\nset_tcp_nodelay true\n")
	fmt.Fprintf(&c, "listener %s 127.0.0.1\n", port(s.address["mqtt"]))
	for _, p := range o.protocols {
		fmt.Fprintf(&c, "listener %s 127.0.0.1\n", port(s.address[p]))
		if p == "mqtts" {
			fmt.Fprintf(&c, "certfile %s\nkeyfile %s\n", b.cert, b.key)
		}
	}
	file := filepath.Join(s.dir, "mosquitto.conf")
	if err := os.WriteFile(file, []byte(c.String()), 0o644); err != nil {
		return err
	}
	if err := os.Chmod(s.dir, 0o755); err != nil { // it gives up root's rights
		return err
	}
	return s.launch(exec.Command("mosquitto", "-c", file), o.cores, s.address["mqtt"])
}

func startMochi(b *bench, s *server, o serving) error {
	return s.launch(exec.Command(b.self, "-role", "mochi", "-listen", s.address["mqtt"]), o.cores, s.address["mqtt"])
}

func startRelay(b *bench, s *server, o serving) error {
	return s.launch(exec.Command(b.self, "-role", "relay", "-listen", s.address["mqtt"]), o.cores, s.address["mqtt"])
}

// startRabbit runs a node with its own name, folder, ports and epmd, all of which end with it. Its scripts refuse to
// run as anybody but root and their own user, so what they call is called.
func startRabbit(_ *bench, s *server, o serving) error {
	extra, err := ports("epmd", "dist", "amqp")
	if err != nil {
		return err
	}
	s.address["amqp"] = extra["amqp"]
	conf := filepath.Join(s.dir, "rabbitmq.conf")
	text := fmt.Sprintf("listeners.tcp.1 = %s\nlog.console = false\nlog.file = false\nloopback_users = none\n", extra["amqp"])
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return err
	}
	plugins := filepath.Join(s.dir, "enabled_plugins")
	if err := os.WriteFile(plugins, []byte("[].\n"), 0o644); err != nil {
		return err
	}
	env := append(os.Environ(), "HOME="+s.dir, "ERL_EPMD_PORT="+port(extra["epmd"]), "ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_NODENAME=peers"+port(extra["amqp"])+"@localhost", "RABBITMQ_MNESIA_BASE="+s.dir, "RABBITMQ_LOG_BASE="+s.dir,
		"RABBITMQ_CONFIG_FILE="+conf, "RABBITMQ_ENABLED_PLUGINS_FILE="+plugins, "RABBITMQ_DIST_PORT="+port(extra["dist"]),
		"RUNNING_UNDER_SYSTEMD=true", "RABBITMQ_PID_FILE="+filepath.Join(s.dir, "pid"), "RABBITMQ_CONF_ENV_FILE="+filepath.Join(s.dir, "none"))
	epmd := exec.Command("epmd", "-port", port(extra["epmd"]), "-address", "127.0.0.1")
	epmd.Env = env
	ended, err := start(epmd, o.cores)
	if err != nil {
		return err
	}
	s.also = func() {
		_ = epmd.Process.Kill() // an error means that it has ended
		<-ended
	}
	if err := answers(extra["epmd"], ended); err != nil { // or the node would start one that stays
		return fmt.Errorf("epmd: %w", err)
	}
	cmd := exec.Command("/usr/lib/rabbitmq/bin/rabbitmq-server")
	cmd.Env = env
	return s.launch(cmd, o.cores, s.address["amqp"])
}

// absent tells which peers cannot be started here, with the packages that have them.
func absent(names []string) (out []string) {
	for _, p := range peers() {
		for _, n := range names {
			if n != p.name || p.pack == "" {
				continue
			}
			if _, err := exec.LookPath(map[string]string{mosquitto: "mosquitto", rabbit: "rabbitmq-server"}[n]); err != nil {
				out = append(out, fmt.Sprintf("%s: apt-get install %s, or leave it out: -without %s", n, p.pack, n))
			}
		}
	}
	return out
}

func firstLine(name string, args ...string) string {
	out, _ := exec.Command(name, args...).Output() // mosquitto -h ends with 1
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

func packageVersion(name string) string {
	out, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", name).Output()
	if err != nil {
		return "unknown"
	}
	return string(out)
}
