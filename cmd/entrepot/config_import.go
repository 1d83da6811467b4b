package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/entrepot/entrepot/internal/importer/mosquitto"
)

func configImportCommand(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "import",
		Short:   "Translate the configuration of another broker",
		Long:    "Write our configuration to stdout, and to stderr what became of each line of the other one.",
		Example: "  entrepot config import mosquitto mosquitto.conf",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return &exitError{exitUsage, "config import is followed by mosquitto and a file. Try: entrepot config import mosquitto /etc/mosquitto/mosquitto.conf"}
		},
	}
	cmd.AddCommand(importMosquittoCommand(s))
	return cmd
}

func importMosquittoCommand(s streams) *cobra.Command {
	o := mosquitto.Options{}
	cmd := &cobra.Command{
		Use:   "mosquitto FILE",
		Short: "Translate a mosquitto.conf, with the files that it includes",
		Long: `Translate a mosquitto.conf. Each of its lines is reported as ok, as changed and how, or as not translated and why. Exit 0: all is translated, 1: not all.
password_file and acl_file are used where they are, unless --convert makes users and roles of them. Relative paths are those of the current folder,
as for mosquitto itself. What mosquitto has stored is not read.`,
		Example: `  entrepot config import mosquitto mosquitto.conf
  entrepot config import mosquitto mosquitto.conf --convert > new.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := mosquitto.Import(args[0], o)
			var path *os.PathError
			switch {
			case errors.As(err, &path):
				return &exitError{exitConfig, fmt.Sprintf("%s cannot be read: %v", path.Path, path.Err)}
			case err != nil:
				return &exitError{exitConfig, err.Error()}
			}
			for _, l := range r.Lines {
				fmt.Fprintln(s.err, l)
			}
			if _, err := s.out.Write(r.YAML); err != nil {
				return err
			}
			if !r.Complete() {
				return &exitError{exitFailed, "not everything could be translated: see the lines above"}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&o.Convert, "convert", false, "make users and roles of the password and access control files")
	return cmd
}
