package gateway

import (
	"os"
	"path/filepath"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/unreadable"
)

// logFile looks whether log.file could be opened, and makes none. OPERATIONS C21
func (k *check) logFile() {
	file := k.c.Log.File
	if file == "" {
		return
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	switch {
	case err == nil:
		_ = f.Close()
	case os.IsNotExist(err):
		if err = writable(filepath.Dir(file)); err == nil {
			k.logFolder(filepath.Dir(file))
			return
		}
	}
	if err != nil {
		k.fail(config.CodeFile, "log.file", "log.file: %s cannot be opened: %s", file, unreadable.Why(err))
	}
}

// logFolder asks whether the user of --as may make a file there.
func (k *check) logFolder(dir string) {
	if k.who == nil {
		return
	}
	if reason := k.who.mayWrite(dir); reason != "" {
		k.fail(config.CodeFile, "log.file", "log.file: %s could not be written by the user of --as: %s", dir, reason)
	}
}
