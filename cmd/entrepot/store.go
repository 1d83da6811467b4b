package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/entrepot/entrepot/internal/gateway"
	"github.com/entrepot/entrepot/internal/store/disk"
)

func storeCommand(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Back up, restore and check what the gateway keeps on disk",
		Long:  "Work on the store of a data directory: messages, sessions, queues. docs/operations.md tells how often, and what a backup holds.",
		Example: `  entrepot store backup monday --url http://127.0.0.1:8088
  entrepot store check monday
  entrepot store restore monday --data ./entrepot-data`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return &exitError{exitUsage, "store is followed by backup, restore or check. Try: entrepot store --help"}
		},
	}
	cmd.AddCommand(storeBackupCommand(s), storeRestoreCommand(s), storeCheckCommand(s))
	return cmd
}

const defaultData = "./entrepot-data"

func dataFlag(cmd *cobra.Command, data *string) {
	cmd.Flags().StringVar(data, "data", defaultData, "data directory of the gateway")
}

func storeRestoreCommand(s streams) *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "restore DIR",
		Short: "Put a backup into a data directory without a store",
		Long: `Put what "store backup" made in DIR into a data directory that has no store yet; nothing is ever overwritten. The backup stays.
Everything is on the disk before the store becomes one: a restore that is cut short leaves no store, and says so at the next start.`,
		Example: "  entrepot store restore monday --data ./entrepot-data",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := disk.Copy(args[0], gateway.StoreDir(data)); err != nil {
				return storeError(err)
			}
			fmt.Fprintf(s.out, "%s is restored in %s. Try: entrepot store check --data %s\n", args[0], data, data)
			return nil
		},
	}
	dataFlag(cmd, &data)
	return cmd
}

// storeError gives an error of a store its exit code and the next step.
func storeError(err error) error {
	switch {
	case errors.Is(err, disk.ErrLocked):
		return &exitError{exitConfig, err.Error() + ". Try: stop that process first; a backup can be asked of it: entrepot store backup DIR --url http://127.0.0.1:8088"}
	case errors.Is(err, disk.ErrOccupied):
		return &exitError{exitConfig, err.Error() + ". Nothing was changed. Try: a new directory"}
	case errors.Is(err, disk.ErrForeign), errors.Is(err, disk.ErrNewer), errors.Is(err, disk.ErrIncomplete), errors.Is(err, disk.ErrDamaged):
		return &exitError{exitConfig, err.Error() + ". Nothing was changed"}
	}
	return &exitError{exitConfig, err.Error()}
}
