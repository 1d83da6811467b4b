package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/entrepot/entrepot/internal/auth/password"
	"github.com/entrepot/entrepot/internal/unreadable"
)

// mostPassword bounds a password, in bytes: limits.password_bytes would refuse a longer one.
const mostPassword = 8192

// newPassword is where a password comes from and how it is stored. It is never an argument, and never printed unless it
// was generated.
type newPassword struct {
	from string
	hash string
	ask  func(ctx context.Context, s streams, label string) ([]byte, error) // nil: on the terminal
}

func (p *newPassword) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.from, "password-file", "", "file that holds the password, - for stdin")
	cmd.Flags().StringVar(&p.hash, "hash", "argon2id", "argon2id, bcrypt, scram for SCRAM-SHA-256, or none")
}

// take finds a password and hashes it. generated is set when nobody gave one.
func (p *newPassword) take(ctx context.Context, s streams, name string) (stored string, generated []byte, err error) {
	hash := map[string]func([]byte) (*password.Hash, error){
		"argon2id": func(b []byte) (*password.Hash, error) { return password.New(b), nil }, "bcrypt": password.NewBcrypt, "scram": password.NewSCRAM,
	}[p.hash]
	switch {
	case p.hash == "none" && p.from != "":
		return "", nil, &exitError{exitUsage, "--hash none is a user without a password, so --password-file has no use"}
	case p.hash == "none":
		return "none", nil, nil
	case hash == nil:
		return "", nil, &exitError{exitUsage, fmt.Sprintf("--hash %s is none of argon2id, bcrypt, scram, none", p.hash)}
	}
	text, err := p.read(ctx, s, name)
	if err != nil {
		return "", nil, err
	}
	if text == nil {
		generated = []byte(rand.Text())
		text = generated
	}
	h, err := hash(text)
	if err != nil {
		return "", nil, &exitError{exitFailed, fmt.Sprintf("the password cannot be stored with --hash %s: %v", p.hash, err)}
	}
	return h.Text(), generated, nil
}

// read is the password that somebody gave; nil when nobody did.
func (p *newPassword) read(ctx context.Context, s streams, name string) (text []byte, err error) {
	switch {
	case p.from == "-":
		text, err = io.ReadAll(io.LimitReader(s.in, mostPassword+3))
	case p.from != "":
		var f *os.File
		if f, err = os.Open(p.from); err == nil {
			text, err = io.ReadAll(io.LimitReader(f, mostPassword+3))
			_ = f.Close()
		}
	case p.ask != nil || isTerminal(s.in):
		return p.prompt(ctx, s, name)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, &exitError{exitConfig, fmt.Sprintf("--password-file %s cannot be read: %s", p.from, unreadable.Why(err))}
	}
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if len(text) == 0 {
		return nil, &exitError{exitConfig, fmt.Sprintf("--password-file %s is empty", p.from)}
	}
	return text, short(text)
}

func short(text []byte) error {
	if len(text) > mostPassword {
		return &exitError{exitFailed, fmt.Sprintf("the password has more than %d bytes", mostPassword)}
	}
	return nil
}

// prompt asks twice; nothing at all means that one is to be generated.
func (p *newPassword) prompt(ctx context.Context, s streams, name string) ([]byte, error) {
	ask := p.ask
	if ask == nil {
		ask = onTerminal
	}
	first, err := ask(ctx, s, fmt.Sprintf("Password of %s (empty: generate one): ", name))
	if err != nil {
		return nil, unread(err)
	}
	if len(first) == 0 {
		return nil, nil
	}
	again, err := ask(ctx, s, "Again: ")
	if err != nil {
		return nil, unread(err)
	}
	if !bytes.Equal(first, again) {
		return nil, &exitError{exitFailed, "the two passwords differ. Nothing was changed"}
	}
	return first, short(first)
}

func unread(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &exitError{exitFailed, "the password could not be read. Nothing was changed"}
}

// onTerminal reads one line that is not shown. An interrupt leaves the terminal as it was.
func onTerminal(ctx context.Context, s streams, label string) ([]byte, error) {
	fd := int(s.in.(*os.File).Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	fmt.Fprint(s.err, label)
	defer fmt.Fprintln(s.err)
	type answer struct {
		text []byte
		err  error
	}
	done := make(chan answer, 1)
	go func() { // ends with the line, or with the process that an interrupt ends
		text, err := term.ReadPassword(fd)
		done <- answer{text, err}
	}()
	select {
	case a := <-done:
		return a.text, a.err
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), term.Restore(fd, before))
	}
}

// tell says what was done, and a generated password, once: on stdout, alone, so that it can be stored.
func (p *newPassword) tell(s streams, done, name, file string, generated []byte) {
	if generated == nil {
		fmt.Fprintf(s.err, "%s user %s in %s\n", done, name, file)
		return
	}
	fmt.Fprintf(s.err, "%s user %s in %s, with this password, which is shown only now:\n", done, name, file)
	fmt.Fprintf(s.out, "%s\n", generated)
}
