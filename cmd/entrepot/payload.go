package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// source holds the flags that say where payloads come from.
type source struct {
	message string
	file    string
	lines   bool
	null    bool
	given   bool // -m was given, perhaps empty
}

func (o *source) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&o.message, "message", "m", "", "the payload, same as PAYLOAD")
	f.StringVarP(&o.file, "file", "f", "", "send the content of a file; - is stdin")
	f.BoolVarP(&o.lines, "lines", "l", false, "send each line of stdin as a message")
	f.BoolVarP(&o.null, "null", "n", false, "send an empty payload")
	cmd.PreRun = func(cmd *cobra.Command, _ []string) { o.given = cmd.Flags().Changed("message") }
}

// payloads yields one payload after the other; more is false after the last.
type payloads func() (payload []byte, more bool, err error)

// open checks that exactly one source is named.
func (o *source) open(stdin io.Reader, args []string) (payloads, error) {
	count := 0
	for _, given := range []bool{o.given, o.file != "", o.lines, o.null, len(args) > 0} {
		if given {
			count++
		}
	}
	if count != 1 {
		return nil, &exitError{exitUsage, "give the payload once: as PAYLOAD, with -m, -f, -l, or -n for none"}
	}
	switch {
	case o.lines:
		return eachLine(stdin), nil
	case o.file == "-":
		b, err := io.ReadAll(stdin)
		return once(b), err
	case o.file != "":
		b, err := os.ReadFile(o.file)
		if err != nil {
			return nil, &exitError{exitConfig, fmt.Sprintf("-f %s cannot be read: %v", o.file, errors.Unwrap(err))}
		}
		return once(b), nil
	case o.given:
		return once([]byte(o.message)), nil
	case o.null:
		return once(nil), nil
	}
	return once([]byte(args[0])), nil
}

func once(b []byte) payloads {
	left := true
	return func() ([]byte, bool, error) {
		more := left
		left = false
		return b, more, nil
	}
}

// eachLine reads lines of any length; a last line without an end counts.
func eachLine(r io.Reader) payloads {
	b := bufio.NewReader(r)
	return func() ([]byte, bool, error) {
		line, err := b.ReadBytes('\n')
		if len(line) == 0 && errors.Is(err, io.EOF) {
			return nil, false, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, false, err
		}
		line = bytes.TrimSuffix(line, []byte("\n"))
		return bytes.TrimSuffix(line, []byte("\r")), true, nil
	}
}
