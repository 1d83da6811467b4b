package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/gateway"
)

func configCommand(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check, show, make and import configurations",
		Long:  "Work on configuration files. docs/configuration.md tells what is in them.",
		Example: `  entrepot config check entrepot.yaml
  entrepot config init /etc/entrepot
  entrepot config import mosquitto mosquitto.conf`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return &exitError{exitUsage, "config is followed by a command. Try: entrepot config --help"}
		},
	}
	cmd.AddCommand(configCheckCommand(s), configShowCommand(s), configInitCommand(s), configImportCommand(s))
	return cmd
}

// configInput is the configuration that a command is about: FILE, else $ENTREPOT_CONFIG, else none.
func configInput(args, set []string) config.Input {
	in := config.Input{File: os.Getenv("ENTREPOT_CONFIG"), Environ: os.Environ(), Set: set,
		Sections: gateway.Sections(), Protocols: gateway.Protocols()}
	if len(args) > 0 {
		in.File = args[0]
	}
	return in
}

// load reads the configuration that a flag names, else that of $ENTREPOT_CONFIG, else the defaults.
func load(file string) (*config.Config, map[string]any, error) {
	var args []string
	if file != "" {
		args = append(args, file)
	}
	in := configInput(args, nil)
	c, err := config.Load(in)
	return c, in.Sections, err
}

// named is how messages call the configuration.
func named(in config.Input) string {
	if in.File == "" {
		return "no file, defaults"
	}
	return in.File
}
