package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/entrepot/entrepot/configs"
	"github.com/entrepot/entrepot/internal/config"
)

// shown are the flags of `entrepot config show`.
type shown struct {
	sources, schema bool
	diff            string
	set, listen     []string
}

func configShowCommand(s streams) *cobra.Command {
	o := &shown{}
	cmd := &cobra.Command{
		Use:   "show [FILE]",
		Short: "Print what holds: defaults, file, environment and flags together",
		Long: `Print what holds: defaults, file, environment and flags together, as YAML. Secrets are ***. Without FILE it is $ENTREPOT_CONFIG, or none.
--schema prints the JSON Schema of the file, for editors.`,
		Example: `  entrepot config show --sources entrepot.yaml
  entrepot config show entrepot.yaml --diff entrepot.yaml.old
  entrepot config show --schema > entrepot.schema.json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return o.run(s, args) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.sources, "sources", false, "name the source of each value: default, file:line, env or flag")
	f.StringVar(&o.diff, "diff", "", "print only what is different in that file: - there, + here")
	f.BoolVar(&o.schema, "schema", false, "print the JSON Schema instead")
	f.StringArrayVar(&o.set, "set", nil, "set a key of the configuration, KEY=VALUE, may be repeated")
	f.StringArrayVar(&o.listen, "listen", nil, "URL to serve instead of the listeners, may be repeated")
	return cmd
}

func (o *shown) run(s streams, args []string) error {
	in := configInput(args, o.set)
	if o.schema {
		text, err := config.JSONSchema(in)
		if err == nil {
			_, err = fmt.Fprintln(s.out, string(text))
		}
		return err
	}
	in.Listen = o.listen
	c, err := config.Load(in)
	if err != nil {
		return &exitError{exitConfig, err.Error()}
	}
	if o.diff == "" {
		_, err = fmt.Fprint(s.out, c.Show(configs.Default, o.sources))
		return err
	}
	there := configInput([]string{o.diff}, nil)
	other, err := config.Load(there)
	if err != nil {
		return &exitError{exitConfig, err.Error()}
	}
	for _, line := range c.Diff(other, configs.Default) {
		if _, err := fmt.Fprintln(s.out, line); err != nil {
			return err
		}
	}
	return nil
}
