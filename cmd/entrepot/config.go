package main

import "github.com/spf13/cobra"

func configCommand(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config",
		Short:   "Work on configuration files",
		Long:    "Work on configuration files. docs/configuration.md tells what is in them.",
		Example: "  entrepot config import mosquitto mosquitto.conf",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return &exitError{exitUsage, "config is followed by a command. Try: entrepot config --help"}
		},
	}
	cmd.AddCommand(configImportCommand(s))
	return cmd
}
