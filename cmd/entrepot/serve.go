package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/gateway"
)

// serve holds the flags of `entrepot serve`.
type serve struct {
	config    string
	data      string
	listen    []string
	set       []string
	logLevel  string
	logFormat string
}

func serveCommand(s streams) *cobra.Command {
	o := &serve{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway",
		Long: `Run the gateway. Without flags every protocol is served on this machine alone, and the store is in ./entrepot-data.
--listen replaces the listeners; its URL may carry a listener's keys: --listen 'mqtt://127.0.0.1:0?max_qos=1'.`,
		Example: `  entrepot serve
  entrepot serve --data memory --listen mqtt://127.0.0.1:1883 --listen coap://127.0.0.1:5683
  entrepot serve --config entrepot.yaml --set limits.connections=1000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), s) },
	}
	f := cmd.Flags()
	f.StringVar(&o.config, "config", "", "configuration file (default $ENTREPOT_CONFIG, or none)")
	f.StringVar(&o.data, "data", "", "directory of the store, or memory for none (default ./entrepot-data)")
	f.StringArrayVar(&o.listen, "listen", nil, "URL to serve instead of the default ones, may be repeated")
	f.StringArrayVar(&o.set, "set", nil, "set a key of the configuration, KEY=VALUE, may be repeated")
	f.StringVar(&o.logLevel, "log-level", "", "debug, info, warn or error (default info)")
	f.StringVar(&o.logFormat, "log-format", "", "text, json, or auto: text on a terminal")
	return cmd
}

func (o *serve) run(ctx context.Context, s streams) error {
	began := time.Now()
	if err := o.flags(); err != nil {
		return err
	}
	signals := listenForSignals()
	in := o.input()
	c, err := config.Load(in)
	if err != nil {
		return refused(err)
	}
	defer tune(ctx)()
	log, book, err := logger(c.Log, s.err)
	if err != nil {
		return &exitError{exitConfig, err.Error()}
	}
	defer book.close()
	if c.Node.Data != gateway.Memory {
		crashDir.Store(&c.Node.Data)
	}
	b := buildData()
	log.Info("starting", "version", b.Version, "commit", b.Commit, "go", b.Go, "config", fileName(c), "sha256", c.Sum[:8], "data", c.Node.Data)
	g, err := gateway.Open(gateway.Options{Config: c, Sections: in.Sections, Log: log, Version: b.Version, Commit: b.Commit,
		Read: o.read, Reloaders: []gateway.Reloader{book}})
	if err != nil {
		return o.notOpened(c, err)
	}
	if isTerminal(s.err) && c.Log.File == "" {
		table(s.err, b, c, g.Listening(), time.Since(began))
	} else {
		for _, l := range g.Listening() {
			log.Info("listener.bound", "protocol", l.Protocol, "listener", l.URL)
		}
	}
	for _, w := range c.Warnings {
		event := "config.warning"
		if w.Code == config.CodeExpiring {
			event = "cert.expiring"
		}
		log.Warn(event, "key", w.Path, "reason", w.Message)
	}
	for _, l := range g.Listening() {
		if l.Insecure { // SECURITY S14
			log.Warn("config.warning", "listener", l.URL, "reason", "anybody who reaches this listener may use it")
		}
	}
	obeying, stop := context.WithCancel(ctx)
	obeyed := make(chan struct{})
	go func() {
		defer close(obeyed)
		signals.obey(obeying, g)
	}()
	err = g.Run(ctx)
	stop()
	<-obeyed
	if err != nil {
		return &exitError{exitFailed, err.Error()}
	}
	return nil
}

// flags refuses values that a flag of its own does not know.
func (o *serve) flags() error {
	for _, f := range []struct {
		name, value string
		known       []string
	}{
		{"--log-level", o.logLevel, []string{"debug", "info", "warn", "error"}},
		{"--log-format", o.logFormat, []string{"text", "json", "auto"}},
	} {
		if f.value != "" && !slices.Contains(f.known, f.value) {
			return &exitError{exitUsage, fmt.Sprintf("%s %s: it must be %s. Try: entrepot serve --help", f.name, f.value, strings.Join(f.known, ", "))}
		}
	}
	return nil
}

// read reads the configuration of this start again.
func (o *serve) read() (*config.Config, map[string]any, config.Problems) {
	in := o.input()
	c, problems := config.Read(in)
	return c, in.Sections, problems
}

func (o *serve) input() config.Input {
	in := config.Input{File: o.config, Environ: os.Environ(), Set: o.set, Listen: o.listen,
		Sections: gateway.Sections(), Protocols: gateway.Protocols()}
	if in.File == "" {
		in.File = os.Getenv("ENTREPOT_CONFIG")
	}
	for _, f := range []struct{ key, value string }{{"node.data", o.data}, {"log.level", o.logLevel}, {"log.format", o.logFormat}} {
		if f.value != "" {
			in.Set = append(in.Set, f.key+"="+f.value)
		}
	}
	return in
}

func fileName(c *config.Config) string {
	if c.Source == "" {
		return "none"
	}
	return c.Source
}

// refused tells a mistake on the command line from one in the configuration.
func refused(err error) error {
	code := exitUsage
	var ps config.Problems
	errors.As(err, &ps)
	for _, p := range ps {
		if p.File != "--listen" || p.Code == config.CodeAnonymous {
			code = exitConfig
		}
	}
	return &exitError{code, err.Error() + " Nothing was started."}
}

// notOpened says why the gateway did not start, and for a taken port the command that would. OPERATIONS C2
func (o *serve) notOpened(c *config.Config, err error) error {
	var usage *gateway.UsageError
	if errors.As(err, &usage) {
		return &exitError{exitUsage, err.Error()}
	}
	var problems config.Problems
	if errors.As(err, &problems) {
		return &exitError{exitConfig, err.Error() + " Nothing was started."}
	}
	text := err.Error()
	var be *listen.BindError
	if errors.As(err, &be) && be.InUse() {
		text += "\nTry: " + o.moved(c)
	}
	return &exitError{exitConfig, text}
}

// moved is the command of this start with every listener whose port is taken on the next free one.
func (o *serve) moved(c *config.Config) string {
	words := []string{"entrepot serve"}
	for _, f := range []struct{ flag, value string }{{"--config", o.config}, {"--data", o.data}, {"--log-level", o.logLevel}, {"--log-format", o.logFormat}} {
		if f.value != "" {
			words = append(words, f.flag, quoted(f.value))
		}
	}
	for _, s := range o.set {
		words = append(words, "--set", quoted(s))
	}
	addresses := make([]config.Address, len(c.Listeners))
	for i, l := range c.Listeners {
		addresses[i] = l.Address
	}
	ports := gateway.FreePorts(addresses)
	for i, a := range addresses {
		moves := a.Port != ports[i]
		a.Port = ports[i]
		switch {
		case len(o.listen) == 0 && c.Source != "": // the other keys of the file's listeners stay
			if moves {
				words = append(words, "--set", quoted(o.put(i, a.String())))
			}
		case a.HasQuery:
			words = append(words, "--listen", quoted(a.String()+"?"+a.Query.Encode()))
		default:
			words = append(words, "--listen", quoted(a.String()))
		}
	}
	return strings.Join(words, " ")
}

// put is what gives a listener of the file another URL: it may be written in its short form.
func (o *serve) put(i int, url string) string {
	text := fmt.Sprintf("listeners[%d].url=%s", i, url)
	in := o.input()
	in.Set = append(in.Set, text)
	if _, err := config.Load(in); err != nil {
		text = fmt.Sprintf("listeners[%d]=%s", i, url)
	}
	return text
}

// quoted is a word as a shell takes it.
func quoted(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/.,_-=+@%") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// table is what a person sees at the start.
func table(w interface{ Write([]byte) (int, error) }, b build, c *config.Config, list []gateway.Listening, took time.Duration) {
	fmt.Fprintf(w, "%s    config: %s (sha256 %s)    data: %s\n", b, fileName(c), c.Sum[:8], c.Node.Data)
	fmt.Fprintf(w, "  %-11s %-30s %-11s %-5s %s\n", "PROTOCOL", "URL", "AUTH", "TLS", "NOTE")
	local := true
	for _, l := range list {
		fmt.Fprintf(w, "  %-11s %-30s %-11s %-5s %s\n", l.Protocol, l.URL, "anonymous", map[bool]string{true: "yes", false: "no"}[l.TLS], l.Note)
		local = local && !l.Insecure
	}
	if local {
		fmt.Fprintln(w, "  Only this machine can connect.")
	}
	if len(list) > 1 {
		fmt.Fprintf(w, "  Try:  entrepot sub %s 'hello/#'      and      entrepot pub %s hello/world hi\n", try(list, 0), try(list, 3))
	}
	fmt.Fprintf(w, "ready in %d ms\n", took.Milliseconds())
}

// try is the URL of a listener that the tools speak.
func try(list []gateway.Listening, i int) string {
	l := list[min(i, len(list)-1)]
	if l.Protocol == "admin" {
		return list[0].URL
	}
	return l.URL
}
