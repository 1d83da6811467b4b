package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
)

// crashDir is where a crash is written down: the data directory, once it is there.
var crashDir atomic.Pointer[string]

// crash keeps a stack trace away from the user. OPERATIONS C8
func crash() {
	if p := recover(); p != nil {
		crashed(p, os.Stderr)
		os.Exit(exitFailed)
	}
}

// crashed writes the trace of a defect to a file, and one line that names it.
func crashed(p any, stderr io.Writer) {
	name := fmt.Sprintf("entrepot-crash-%d.txt", os.Getpid())
	text := fmt.Sprintf("%s\n%v\n\n%s", buildData(), p, debug.Stack())
	dirs := []string{os.TempDir()}
	if d := crashDir.Load(); d != nil {
		dirs = []string{*d, os.TempDir()}
	}
	path := "nowhere"
	for _, dir := range dirs {
		if os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600) == nil {
			path = filepath.Join(dir, name)
			break
		}
	}
	fmt.Fprintf(stderr, "entrepot: a defect of entrepot ended it; please report it with the file %s\n", path)
}
