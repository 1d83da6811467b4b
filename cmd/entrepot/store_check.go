package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/gateway"
	"github.com/entrepot/entrepot/internal/store/disk"
)

func storeCheckCommand(s streams) *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Read every record of a store, and change nothing",
		Long: `Read every record of a backup in DIR, or of the store of --data, which no gateway may be using, and change nothing. What cannot be read is
listed with its file and with what is affected. Exit 0: all is well; 1: something is damaged; 3: it is no store, or cannot be opened.`,
		Example: `  entrepot store check monday
  entrepot store check --data ./entrepot-data`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := gateway.StoreDir(data)
			if len(args) == 1 {
				dir = args[0]
			}
			return checkStore(s, dir)
		},
	}
	dataFlag(cmd, &data)
	return cmd
}

// mostListed bounds the lines about records; the count tells how many there are.
const mostListed = 50

func checkStore(s streams, dir string) error {
	kinds, broken := map[string]int{}, 0
	damaged, err := disk.Inspect(dir, func(rec core.Record) {
		kind, what, err := core.CheckRecord(rec)
		kinds[kind]++
		if err == nil {
			return
		}
		if broken++; broken <= mostListed {
			fmt.Fprintf(s.out, "damaged  %s %q (key %q): %v\n", cmp.Or(kind, "record"), what, rec.Key, err)
		}
	})
	if err != nil && len(damaged) == 0 {
		return storeError(err)
	}
	for _, d := range damaged {
		fmt.Fprintf(s.out, "damaged  %s: records between %s and %s may be missing: %v\n", d.File, described(d.From), described(d.To), d.Err)
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(s.out, "%10d  %s\n", kinds[kind], cmp.Or(kind, "unknown"))
	}
	switch {
	case err != nil:
		return &exitError{exitFailed, err.Error()}
	case broken > 0 || len(damaged) > 0:
		return &exitError{exitFailed, fmt.Sprintf("%s is damaged: %d files in part, %d records. A gateway refuses to start where a record cannot be read. Try: a backup, by entrepot store restore", dir, len(damaged), broken)}
	}
	fmt.Fprintf(s.out, "%s is whole\n", dir)
	return nil
}

// described is a key with its kind.
func described(key []byte) string {
	kind, what, _ := core.CheckRecord(core.Record{Key: key})
	return fmt.Sprintf("%s %q", cmp.Or(kind, "record"), what)
}
