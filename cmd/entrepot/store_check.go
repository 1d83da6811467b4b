package main

import (
	"cmp"
	"errors"
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
	repair := false
	cmd := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Read every record of a store, and change nothing unless told to",
		Long: `Read every record of a backup in DIR, or of the store of --data, which no gateway may be using, and change nothing. What cannot be read is
listed with its file and with what is affected. Exit 0: all is well; 1: something is damaged; 3: it is no store, or cannot be opened.

Messages that no queue refers to, which a crash of an early release may have left, are counted: they take up room and nothing else. With
--repair they are removed, unless something is damaged.`,
		Example: `  entrepot store check monday
  entrepot store check --data ./entrepot-data`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := gateway.StoreDir(data)
			if len(args) == 1 {
				dir = args[0]
			}
			return checkStore(s, dir, repair)
		},
	}
	dataFlag(cmd, &data)
	cmd.Flags().BoolVar(&repair, "repair", false, "remove messages that no queue refers to")
	return cmd
}

// mostListed bounds the lines about records; the count tells how many there are.
const mostListed = 50

func checkStore(s streams, dir string, repair bool) error {
	kinds, broken := map[string]int{}, 0
	var lost core.Unreferenced
	damaged, err := disk.Inspect(dir, func(rec core.Record) {
		lost.See(rec)
		kind, what, err := core.CheckRecord(rec)
		kinds[kind]++
		if err == nil {
			return
		}
		if broken++; broken <= mostListed {
			fmt.Fprintf(s.out, "damaged  %s %q (key %q): %v\n", cmp.Or(kind, "record"), what, rec.Key, err)
		}
	})
	if errors.Is(err, disk.ErrDamaged) {
		return &exitError{exitFailed, err.Error() + ": tables that it names may be missing. Try: a backup, by entrepot store restore"}
	}
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
	if err := removeLost(s, dir, &lost, repair); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s is whole\n", dir)
	return nil
}

// removeLost tells of messages that nothing refers to, and removes them if it may.
func removeLost(s streams, dir string, lost *core.Unreferenced, repair bool) error {
	n, bytes, ok := lost.Found()
	switch {
	case n == 0 || !ok:
		return nil
	case !repair:
		fmt.Fprintf(s.out, "%d messages of %d bytes that no queue refers to; --repair removes them\n", n, bytes)
		return nil
	}
	store, err := disk.Open(dir, disk.Options{})
	if err != nil {
		return storeError(err)
	}
	var b core.Batch
	lost.Remove(&b)
	if err = errors.Join(store.Write([]*core.Batch{&b}, true), store.Close()); err != nil {
		return storeError(err)
	}
	fmt.Fprintf(s.out, "%d messages of %d bytes that no queue referred to were removed\n", n, bytes)
	return nil
}

// described is a key with its kind.
func described(key []byte) string {
	kind, what, _ := core.CheckRecord(core.Record{Key: key})
	return fmt.Sprintf("%s %q", cmp.Or(kind, "record"), what)
}
