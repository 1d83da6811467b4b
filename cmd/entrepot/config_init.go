package main

import (
	"crypto/rand"
	_ "embed"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/entrepot/entrepot/internal/access"
	"github.com/entrepot/entrepot/internal/auth/password"
	"github.com/entrepot/entrepot/internal/tlsconf"
	"github.com/entrepot/entrepot/internal/unreadable"
)

// firstConfig is the file that `entrepot config init` writes.
//
//go:embed init.yaml
var firstConfig []byte

func configInitCommand(s streams) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a first configuration with certificates and a user",
		Long: `Write a first configuration into DIR, or the current directory: entrepot.yaml with comments, an authority for trials with a certificate for
this host, and users.yaml with the user admin, whose random password is printed once. All files are for this user alone (mode 0600).
Nothing that is there is replaced without --force.`,
		Example: `  entrepot config init /etc/entrepot
  entrepot config check /etc/entrepot/entrepot.yaml
  entrepot serve --config /etc/entrepot/entrepot.yaml`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			return initConfig(s, dir, force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace files that are there")
	return cmd
}

func initConfig(s streams, dir string, force bool) error {
	hosts := hostNames()
	certs, err := tlsconf.NewDevelopment(hosts, time.Now())
	if err != nil {
		return &exitError{exitFailed, "certificates cannot be made: " + err.Error()}
	}
	secret := rand.Text() // 26 letters and digits, 130 bits
	files := []struct {
		name string
		text []byte
	}{
		{"entrepot.yaml", firstConfig}, {"ca.crt", certs.CA}, {"ca.key", certs.CAKey}, {"server.crt", certs.Cert}, {"server.key", certs.Key},
	}
	users := filepath.Join(dir, "users.yaml")
	if !force {
		for _, name := range []string{"entrepot.yaml", "ca.crt", "ca.key", "server.crt", "server.key", "users.yaml"} {
			if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
				return &exitError{exitFailed, filepath.Join(dir, name) + " is there already, and nothing was written. Try: another DIR, or --force"}
			}
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return &exitError{exitConfig, dir + " cannot be made: " + unreadable.Why(err)}
	}
	for _, f := range files {
		if err := writeSecret(filepath.Join(dir, f.name), f.text); err != nil {
			return &exitError{exitConfig, err.Error()}
		}
	}
	if err := os.Remove(users); err != nil && !os.IsNotExist(err) {
		return &exitError{exitConfig, err.Error()}
	}
	err = access.EditUsers(users, func(f *access.File) error {
		return f.Add(access.Entry{Name: "admin", Role: []string{"admin"}, Password: access.Stored(password.New([]byte(secret)).Text())})
	})
	if err != nil {
		return &exitError{exitConfig, err.Error()}
	}
	file := filepath.Join(dir, "entrepot.yaml")
	_, err = fmt.Fprintf(s.out, `%s is written, with a certificate for %s.
User admin has the password %s, which is shown only now.
Next:  entrepot config check %s
       entrepot serve --config %s
       entrepot sub mqtts://localhost '#' --user admin --cafile %s
`, file, strings.Join(hosts, ", "), secret, file, file, filepath.Join(dir, "ca.crt"))
	return err
}

// writeSecret writes a file whole or not at all, for this user alone.
func writeSecret(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".entrepot-*") // its mode is 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // renamed, if all went well
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// hostNames are the names and addresses of this host, localhost first.
func hostNames() []string {
	list := []string{"localhost"}
	add := func(name string) {
		if name != "" && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	if name, err := os.Hostname(); err == nil && !strings.ContainsAny(name, " _") {
		add(name)
	}
	add("127.0.0.1")
	add("::1")
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return list
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			add(n.IP.String())
		}
	}
	return list
}
