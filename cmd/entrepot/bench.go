package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/entrepot/entrepot/internal/bench"
	"github.com/entrepot/entrepot/internal/config"
)

// benchmark holds the flags of `entrepot bench`.
type benchmark struct {
	target
	bench.Options
	from, to string
	output   string
}

func benchCommand(s streams) *cobra.Command {
	b := &benchmark{}
	cmd := &cobra.Command{
		Use:   "bench URL | --from URL --to URL",
		Short: "Measure throughput, latency and losses, across protocols too",
		Long: `Measure throughput, latency and losses, across protocols too. Publisher i and subscriber i use topic i modulo --topics.
Without --rate every publisher keeps --window messages on their way; with it latency counts from the intended time of sending.`,
		Example: `  entrepot bench mqtt://127.0.0.1 --pub 100 --sub 100 -q 1 --pid $(pidof entrepot)
  entrepot bench --from mqttsn://127.0.0.1 --to amqp://127.0.0.1 --pub 10 --sub 1 --rate 1000
  entrepot bench stomp://127.0.0.1 --time 30s -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return b.run(cmd.Context(), s, args) },
	}
	b.target.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&b.from, "from", "", "URL of the publishers")
	f.StringVar(&b.to, "to", "", "URL of the subscribers")
	f.IntVar(&b.Pubs, "pub", 1, "publishers")
	f.IntVar(&b.Subs, "sub", 1, "subscribers")
	f.IntVarP(&b.QoS, "qos", "q", 0, "0, 1 or 2; a protocol without it uses its highest")
	f.IntVar(&b.Size, "size", 64, "bytes of a payload")
	f.Float64Var(&b.Rate, "rate", 0, "messages a second of all publishers together (default as fast as --window allows)")
	f.IntVar(&b.Window, "window", 64, "messages of one publisher on their way at a time")
	f.IntVar(&b.Topics, "topics", 0, "topics (default the smaller of --pub and --sub)")
	f.DurationVar(&b.Time, "time", 10*time.Second, "length of the measurement")
	f.DurationVar(&b.Warmup, "warmup", time.Second, "time before it that does not count")
	f.IntSliceVar(&b.PIDs, "pid", nil, "process whose CPU and memory are reported, may be repeated")
	f.StringVarP(&b.output, "output", "o", "text", "text or json")
	return cmd
}

func (b *benchmark) run(ctx context.Context, s streams, args []string) error {
	if len(args) == 1 {
		if b.from != "" || b.to != "" {
			return &exitError{exitUsage, "give one URL, or --from and --to"}
		}
		b.from, b.to = args[0], args[0]
	}
	if b.from == "" || b.to == "" {
		return &exitError{exitUsage, "give one URL, or --from and --to"}
	}
	if b.output != "text" && b.output != "json" {
		return &exitError{exitUsage, fmt.Sprintf("-o is text or json, not %q", b.output)}
	}
	from, _ := config.ParseAddress(b.from)
	to, _ := config.ParseAddress(b.to)
	b.secure.mixed = from.Scheme.TLS || to.Scheme.TLS
	var err error
	if b.From, err = b.parse(s, b.from); err != nil {
		return err
	}
	if b.To, err = b.parse(s, b.to); err != nil {
		return err
	}
	b.Drain = b.timeout
	b.Progress = func(p bench.Progress) {
		fmt.Fprintf(s.err, "%4.0fs  sent %d  received %d  %.0f/s\n", p.Elapsed.Seconds(), p.Sent, p.Received, p.Rate)
	}
	r, err := bench.Run(ctx, b.Options)
	if err != nil {
		return failed(b.from, err)
	}
	if b.output == "json" {
		return json.NewEncoder(s.out).Encode(r)
	}
	_, err = fmt.Fprintln(s.out, r)
	return err
}
