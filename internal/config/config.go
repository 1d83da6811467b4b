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
	// Sum is the SHA-256 in hexadecimal of the file's bytes, followed by those of the files that it includes; of nothing,
	// if there was no file.
	Sum string `yaml:"-"`

	root     *node // what was written, with its places
	sources  []source
	schema   schema
	problems Problems
}

// Load reads and checks a configuration. The error, if there is one, is a [Problems] without warnings.
func Load(in Input) (*Config, error) {
	c, problems := Read(in)
	if problems.Failed() {
		return nil, problems.Errors()
	}
	return c, nil
}

// Read reads and checks a configuration, and returns it with all that is wrong with it, warnings too. If the problems
// have failed ([Problems.Failed]) the configuration is only good for [Config.Problem] and [Config.Finish].
func Read(in Input) (*Config, Problems) {
	c := read(in, osDisk)
	return c, c.problems
}

// Empty tells that the configuration has a file that says nothing.
func (c *Config) Empty() bool {
	for _, s := range c.sources {
		if root, _ := parse(s.path, s.text); root == nil || len(root.keys) > 0 {
			return false
		}
	}
	return len(c.sources) > 0
}

func read(in Input, from disk) *Config {
	c := Default()
	c.root = newMap(origin{})
	a := assembly{disk: from, environ: in.Environ, names: map[string]origin{}}
	if in.File != "" {
		c.Source = in.File
		a.names[from.same(in.File)] = origin{file: in.File, line: 1}
		if root := a.file(in.File, origin{}, nil); root != nil {
			c.root = root
		}
	}
	c.sources = a.sources
	sum := sha256.New()
	for _, s := range c.sources {
		sum.Write(s.text)
	}
	c.Sum = hex.EncodeToString(sum.Sum(nil))
	s := schema{config: c, sections: in.Sections, protocols: in.Protocols, environ: in.Environ}
	c.schema = s
	problems := a.problems
	problems = append(problems, overlayEnviron(c.root, in.Environ, s)...)
	overlayListen(c.root, in.Listen)
	problems = append(problems, overlaySet(c.root, in.Set)...)
	problems = append(problems, s.decode(c.root)...)
	problems = c.Finish(problems)
	c.problems = problems
	c.Warnings = problems.Warnings()
	return c
}
