package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/gateway"
)

func configCheckCommand(s streams) *cobra.Command {
	var o gateway.CheckOptions
	var output string
	var set []string
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Tell everything that a start or a reload would refuse, and change nothing",
		Long: `Do all that a start does, and change nothing: the file and those that it includes, certificates, users and rules, ports, the data
directory, limits. --online also asks what is elsewhere, and measures how long a write takes. Without FILE it is $ENTREPOT_CONFIG, or the defaults. A port counts as free when a gateway with the same data directory holds it.
Exit 0 when a start would succeed, warnings or not, otherwise 3.`,
		Example: `  entrepot config check entrepot.yaml
  entrepot config check /etc/entrepot/entrepot.yaml --as entrepot
  entrepot config check entrepot.yaml --online
  entrepot config check entrepot.yaml -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := configInput(args, set)
			problems := dryRun(cmd.Context(), in, o)
			switch output {
			case "json":
				if err := problemsJSON(s.out, problems); err != nil {
					return err
				}
			case "text":
				problemsText(s, named(in), problems)
			default:
				return &exitError{exitUsage, fmt.Sprintf("-o %s: text or json", output)}
			}
			if problems.Failed() {
				return &exitError{code: exitConfig}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&o.As, "as", "", "user that the gateway will run as, whose rights on files are checked")
	cmd.Flags().BoolVar(&o.Online, "online", false, "also fetch key sets, connect to services that logins are asked from, and write to the data directory for a moment")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	cmd.Flags().StringArrayVar(&set, "set", nil, "set a key of the configuration, KEY=VALUE, may be repeated")
	return cmd
}

// dryRun is everything that is wrong with a configuration.
func dryRun(ctx context.Context, in config.Input, o gateway.CheckOptions) config.Problems {
	c, problems := config.Read(in)
	if problems.Failed() {
		return problems // what it would do is not known
	}
	return c.Finish(append(problems, gateway.Check(ctx, c, in.Sections, o)...))
}

func problemsText(s streams, name string, problems config.Problems) {
	for _, p := range problems {
		fmt.Fprintln(s.err, p)
	}
	switch {
	case problems.Failed():
		fmt.Fprintf(s.err, "%s.\n", problems.Count())
	case len(problems) > 0:
		fmt.Fprintf(s.out, "%s: ok, %s\n", name, problems.Count())
	default:
		fmt.Fprintf(s.out, "%s: ok\n", name)
	}
}

// problemsJSON writes one array, empty if all is well.
func problemsJSON(w io.Writer, problems config.Problems) error {
	type line struct {
		Code     string `json:"code"`
		Severity string `json:"severity"`
		File     string `json:"file"`
		Line     int    `json:"line"`
		Column   int    `json:"column"`
		Path     string `json:"path"`
		Message  string `json:"message"`
		Hint     string `json:"hint"`
	}
	list := make([]line, len(problems))
	for i, p := range problems {
		list[i] = line{p.Code, p.Severity(), p.File, p.Line, p.Column, p.Path, p.Message, p.Hint}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(list)
}
