// Command generate writes the files that are made from the code: configs/default.yaml from the structures of the
// configuration, docs/metrics.md from the definitions of the metrics and docs/sys.md from those of $SYS. `make generate` runs it; its test fails when a
// file is out of date.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/entrepot/entrepot/internal/metrics"
	"github.com/entrepot/entrepot/internal/sys"
)

//go:generate go run . ../..

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: generate ROOT")
		os.Exit(2)
	}
	files, err := generate(os.Args[1])
	for name, text := range files {
		if err == nil {
			err = os.WriteFile(filepath.Join(os.Args[1], name), []byte(text), 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// generate returns all files by their path below the root of the repository, where it reads the comments of the code.
func generate(root string) (map[string]string, error) {
	yaml, err := defaultYAML(root)
	if err != nil {
		return nil, err
	}
	return map[string]string{"configs/default.yaml": yaml, "docs/metrics.md": metrics.Document(), "docs/sys.md": sys.Document()}, nil
}
