package main

import (
	"io"

	"github.com/spf13/cobra"
)

// streams are the process's own files, replaced in tests.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// root makes the whole command tree; nothing is registered anywhere else.
func root(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "entrepot",
		Short: "A message gateway and broker for MQTT, MQTT-SN, CoAP, STOMP and AMQP",
		Example: `  entrepot serve
  entrepot sub mqtt://127.0.0.1 'hello/#'
  entrepot pub coap://127.0.0.1 hello/world hi`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	cmd.SetIn(s.in)
	cmd.SetOut(s.out)
	cmd.SetErr(s.err)
	cmd.AddCommand(serveCommand(s), pubCommand(s), subCommand(s), benchCommand(s), storeCommand(s), userCommand(s), aclCommand(s), configCommand(s), versionCommand(s))
	return cmd
}
