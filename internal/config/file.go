package config

import (
	"path/filepath"
	"reflect"
)

// A File is the path of a file. A relative one is relative to the configuration file that names it; on the command line
// and in the environment to the current directory.
type File string

var fileType = reflect.TypeFor[File]()

// settle makes the path of a file that was named at an origin one of the current directory.
func (o origin) settle(f File) File {
	if f == "" || o.line == 0 || filepath.IsAbs(string(f)) {
		return f
	}
	return File(filepath.Join(filepath.Dir(o.file), string(f)))
}
