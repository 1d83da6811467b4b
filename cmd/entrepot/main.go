// Command entrepot is the message gateway and its tools: serve, pub, sub and bench in one binary.
//
// It is defined by docs/commands.md: flags, output and exit codes are kept from one version to the next.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Set by the build.
var (
	version = "0.1.0"
	commit  = ""
)

func main() {
	defer crash()
	signal.Ignore(syscall.SIGPIPE) // a write to a closed pipe is an error then, not the end. OPERATIONS X4
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(exitInterrupted) // OPERATIONS C5: a second signal ends at once
	}()
	cmd := root(streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	code, text := exitOf(cmd.ExecuteContext(ctx))
	if text != "" {
		fmt.Fprintln(os.Stderr, "entrepot: "+text)
	}
	os.Exit(code)
}
