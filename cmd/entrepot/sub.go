package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/entrepot/entrepot/internal/dial"
	"github.com/entrepot/entrepot/internal/render"
)

// sub holds the flags of `entrepot sub`.
type sub struct {
	target
	qos     int
	count   int
	wait    float64
	verbose bool
	format  string
	output  string
	quiet   bool
}

func subCommand(s streams) *cobra.Command {
	o := &sub{}
	cmd := &cobra.Command{
		Use:   "sub URL FILTER...",
		Short: "Subscribe by any protocol and print what arrives",
		Long: `Subscribe by any protocol and print what arrives; the URL's scheme chooses it. FILTER is canonical in every protocol: + is one level, a last # all
that follow, $queue/NAME a queue, $share/GROUP/FILTER a group that shares the messages. When the server has confirmed a filter, stderr gets one line.`,
		Example: `  entrepot sub mqtt://127.0.0.1 'sensors/#' -v
  entrepot sub coap://127.0.0.1 hello/world -C 1
  entrepot sub amqp://127.0.0.1 'orders/+' -o jsonl -q 1
  entrepot sub stomp://127.0.0.1 'sensors/#' -F '@H:@M:@S %t %p' -W 60`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), s, args) },
	}
	o.target.flags(cmd)
	f := cmd.Flags()
	f.IntVarP(&o.qos, "qos", "q", 0, "highest QoS of deliveries")
	f.IntVarP(&o.count, "count", "C", 0, "end after that many messages")
	f.Float64VarP(&o.wait, "wait", "W", 0, "end after that many seconds, with exit code 27 if -C was not reached")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "print topic and payload")
	f.StringVarP(&o.format, "format", "F", "", "print by a template with mosquitto's letters, such as '%t %p'")
	f.StringVarP(&o.output, "output", "o", "", strings.Join(render.Outputs(), ", ")+" (default pretty on a terminal, raw otherwise)")
	f.BoolVar(&o.quiet, "quiet", false, "do not print what was confirmed")
	return cmd
}

func (o *sub) run(ctx context.Context, s streams, args []string) error {
	opts, err := o.target.parse(s, args[0])
	if err != nil {
		return err
	}
	write, err := o.writer(s)
	if err != nil {
		return err
	}
	if a := dial.Abilities(opts.Protocol(), opts.Version); o.qos < 0 || o.qos > a.MaxQoS {
		return &exitError{exitUsage, fmt.Sprintf("%s has QoS 0 to %d, not %d", opts.Protocol(), a.MaxQoS, o.qos)}
	}
	if opts.ClientID == "" {
		opts.ClientID = dial.RandomID()
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	p := &printer{write: write, out: s.out, count: o.count, stop: stop, protocol: opts.Protocol(), client: opts.ClientID}
	opts.OnMessage = p.message
	c, err := o.connect(ctx, opts)
	if err != nil {
		return err
	}
	err = o.listen(ctx, s, c, args[1:])
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = c.Close(end) // what was asked for is done; how the farewell went changes nothing
	if err == nil || errors.Is(err, context.Canceled) {
		return endOf(ctx)
	}
	return failed(opts.Address.String(), err)
}

func (o *sub) writer(s streams) (render.Func, error) {
	usage := func(f render.Func, err error) (render.Func, error) {
		if err != nil {
			return nil, &exitError{exitUsage, err.Error()}
		}
		return f, nil
	}
	switch { // -v and -F win over -o. OPERATIONS X5
	case o.format != "":
		return usage(render.Format(o.format))
	case o.verbose:
		return render.Verbose, nil
	case o.output != "":
		return usage(render.Output(o.output))
	case isTerminal(s.out):
		return render.Output("pretty")
	}
	return render.Output("raw")
}

// listen subscribes and waits for the end: enough messages, enough time, an interrupt, or a lost connection.
func (o *sub) listen(ctx context.Context, s streams, c dial.Conn, filters []string) error {
	var elapsed <-chan time.Time
	if o.wait > 0 {
		t := time.NewTimer(time.Duration(o.wait * float64(time.Second)))
		defer t.Stop()
		elapsed = t.C
	}
	for _, f := range filters {
		asked, cancel := context.WithTimeout(ctx, o.timeout)
		granted, err := c.Subscribe(asked, f, o.qos)
		cancel()
		if err != nil {
			return err
		}
		if !o.quiet {
			fmt.Fprintf(s.err, "subscribed %s qos %d\n", f, granted)
		}
	}
	select {
	case <-ctx.Done():
		return nil
	case <-elapsed:
		return &exitError{exitNotEnough, ""}
	case <-c.Done():
		if ctx.Err() != nil {
			return nil
		}
		return firstError(c.Err(), &dial.Error{Kind: dial.Unreachable, Err: errors.New("the server closed the connection")})
	}
}

// errEnough ends the command with 0: -C messages have come.
var errEnough = errors.New("enough")

// endOf tells why the context ended.
func endOf(ctx context.Context) error {
	switch cause := context.Cause(ctx); {
	case cause == nil, errors.Is(cause, errEnough):
		return nil
	default:
		return cause
	}
}

// A printer writes messages as they come, each flushed at once. OPERATIONS X5
type printer struct {
	write    render.Func
	out      io.Writer
	count    int
	stop     context.CancelCauseFunc
	protocol string
	client   string
	seen     int
	ended    bool
}

func (p *printer) message(m dial.Message) {
	if p.ended {
		return
	}
	p.seen++
	err := p.write(p.out, render.Message{Message: m, Time: time.Now(), Protocol: p.protocol, Client: p.client, ID: p.seen})
	if err == nil && p.seen == p.count {
		err = errEnough
	}
	if err != nil {
		p.ended = true
		p.stop(err)
	}
}
