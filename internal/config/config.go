// Package config reads the configuration of entrepot: one YAML file with strict keys, overlaid by the environment and
// by --set, decoded into typed structures.
//
// It is defined by docs/configuration.md. Keys are snake_case; durations are written 5s 10m 7d, sizes 64KiB 16MiB,
// rates 2000/s, shares 80%; unlimited is a word and 0 is 0. Every mistake is reported with file, line, column, excerpt
// and suggestion, and all mistakes are reported at once.
//
// The package knows no protocol: the caller hands it one pointer to a structure for each further section.
package config

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
)

// maxFile bounds a configuration file, in bytes.
const maxFile = 1 << 20

// Input is everything a configuration is made of. The zero value is the default configuration.
type Input struct {
	// File is the path of the YAML file, empty for none.
	File string
	// Environ holds NAME=value pairs as os.Environ returns them.
	Environ []string
	// Set holds the key=value pairs of --set, in their order on the command line; the last one wins.
	Set []string
	// Listen holds the URLs of --listen. If any is given, the listeners of the file and the default ones are dropped.
	Listen []string
	// Sections maps the name of a further section to a pointer to its structure, filled with its defaults.
	// The structures are overwritten with what the configuration says.
	Sections map[string]any
	// Protocols maps a listener's protocol to the names of the sections whose keys may be repeated on that listener.
	Protocols map[string][]string
}

// Config is the effective configuration.
type Config struct {
	Node      Node       `yaml:"node"`
	Listeners []Listener `yaml:"listeners"`
	Log       Log        `yaml:"log"`
	Admin     Admin      `yaml:"admin"`

	// Warnings are what works today and should be changed all the same.
	Warnings Problems `yaml:"-"`
	// Source is the path of the file, empty if there was none.
	Source string `yaml:"-"`
	// Sum is the SHA-256 of the file's bytes in hexadecimal; of nothing, if there was no file.
	Sum string `yaml:"-"`
}

// Load reads and checks a configuration. The error, if there is one, is a [Problems].
func Load(in Input) (*Config, error) {
	c := Default()
	var text []byte
	root := newMap(origin{})
	var problems Problems
	if in.File != "" {
		b, err := readFile(in.File)
		if err != nil {
			return nil, Problems{{Code: CodeFile, File: in.File, Message: err.Error()}}
		}
		text = b
		c.Source = in.File
		parsed, errs := parse(in.File, b)
		problems = append(problems, errs...)
		if parsed != nil {
			root = parsed
		}
	}
	sum := sha256.Sum256(text)
	c.Sum = hex.EncodeToString(sum[:])
	s := schema{config: c, sections: in.Sections, protocols: in.Protocols}
	problems = append(problems, expand(root, in.Environ)...)
	problems = append(problems, overlayEnviron(root, in.Environ, s)...)
	overlayListen(root, in.Listen)
	problems = append(problems, overlaySet(root, in.Set)...)
	problems = append(problems, s.decode(root)...)
	if len(problems) > 0 {
		problems.finish(in.File, text)
		return nil, problems
	}
	return c, nil
}

// readFile returns the file's content, or an error without Go's own words in it.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, plainError{verb: "cannot be read", err: err}
	}
	if info.IsDir() {
		return nil, plainError{verb: "is a directory; name a file such as " + filepath.Join(path, "entrepot.yaml")}
	}
	if info.Size() > maxFile {
		return nil, plainError{verb: "is larger than 1 MiB"}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, plainError{verb: "cannot be read", err: err}
	}
	return b, nil
}
