package main

import (
	"crypto/tls"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/pskfile"
	"github.com/entrepot/entrepot/internal/tlsconf"
)

// secure holds the flags that say whom to trust, and what to show.
type secure struct {
	caFile   string
	cert     string
	key      string
	insecure bool
	identity string
	pskFile  string
	mixed    bool // another URL of the command uses the flags
}

func (o *secure) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.caFile, "cafile", "", "PEM file of the authorities that the server's certificate must come from (default the system's)")
	f.StringVar(&o.cert, "cert", "", "PEM file of a certificate to show to the server")
	f.StringVar(&o.key, "key", "", "PEM file of its key")
	f.BoolVar(&o.insecure, "insecure", false, "take any certificate of the server, for trials")
	f.StringVar(&o.identity, "psk-identity", "", "whose pre-shared key to use for coaps and mqttsns (default the only one of the file)")
	f.StringVar(&o.pskFile, "psk-file", "", "file of pre-shared keys, identity:hexkey a line")
}

// config reads the files; nil for a scheme without TLS.
func (o *secure) config(s config.Scheme) (*tls.Config, error) {
	given := o.caFile != "" || o.cert != "" || o.key != "" || o.insecure
	switch {
	case !s.TLS && given && !o.mixed:
		return nil, &exitError{exitUsage, fmt.Sprintf("--cafile, --cert, --key and --insecure are for TLS, and %s:// has none", s.Name)}
	case !s.TLS || !given:
		return nil, nil
	case (o.cert == "") != (o.key == ""):
		return nil, &exitError{exitUsage, "--cert and --key come together"}
	}
	c, err := tlsconf.Client{CAFile: o.caFile, Cert: o.cert, Key: o.key, Insecure: o.insecure}.Config()
	if err != nil {
		return nil, &exitError{exitConfig, err.Error()}
	}
	return c, nil
}

// preshared reads the pre-shared key for a scheme with DTLS; none if no flag asks for one.
func (o *secure) preshared(s config.Scheme) (identity string, key []byte, err error) {
	switch {
	case o.identity == "" && o.pskFile == "", !s.DTLS() && o.mixed:
		return "", nil, nil
	case !s.DTLS():
		return "", nil, &exitError{exitUsage, fmt.Sprintf("--psk-identity and --psk-file are for coaps:// and mqttsns://, not for %s://", s.Name)}
	case o.pskFile == "":
		return "", nil, &exitError{exitUsage, "--psk-identity needs --psk-file, which holds the key"}
	}
	keys, err := pskfile.Load(o.pskFile)
	if err != nil {
		return "", nil, &exitError{exitConfig, err.Error()}
	}
	identity = o.identity
	if identity == "" && len(keys) == 1 {
		for identity = range keys {
		}
	}
	key, ok := keys[identity]
	switch {
	case identity == "":
		return "", nil, &exitError{exitUsage, fmt.Sprintf("%s holds %d identities; --psk-identity says which", o.pskFile, len(keys))}
	case !ok:
		return "", nil, &exitError{exitConfig, fmt.Sprintf("%s holds no key of %q", o.pskFile, identity)}
	}
	return identity, key, nil
}
