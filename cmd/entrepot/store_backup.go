package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/gateway"
	"github.com/entrepot/entrepot/internal/store/disk"
)

// storeBackup holds the flags of `entrepot store backup`.
type storeBackup struct {
	data         string
	url          string
	user         string
	passwordFile string
}

func storeBackupCommand(s streams) *cobra.Command {
	o := &storeBackup{}
	cmd := &cobra.Command{
		Use:   "backup DIR",
		Short: "Copy the store, of a running gateway too",
		Long: `Copy the store into DIR, which is made, or is empty. With --url a running gateway is asked by its admin listener, and goes on meanwhile:
the backup is what it held at one moment, with everything that it had acknowledged before. Without --url the data directory is read, which
no gateway may be using. Users, roles and the configuration are files of their own and not part of it.`,
		Example: `  entrepot store backup monday --url http://127.0.0.1:8088
  entrepot store backup monday --data ./entrepot-data`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if o.url == "" {
				err = o.offline(args[0])
			} else {
				err = o.ask(cmd.Context(), s, args[0])
			}
			if err == nil {
				fmt.Fprintf(s.out, "the backup is in %s. Try: entrepot store check %s\n", args[0], args[0])
			}
			return err
		},
	}
	dataFlag(cmd, &o.data)
	f := cmd.Flags()
	f.StringVar(&o.url, "url", "", "http:// URL of the admin listener of a running gateway")
	f.StringVar(&o.user, "user", "", "user name, whose role has admin admin")
	f.StringVar(&o.passwordFile, "password-file", "", "file that holds the password; otherwise $ENTREPOT_PASSWORD")
	cmd.MarkFlagsMutuallyExclusive("data", "url")
	return cmd
}

// offline copies the store of a gateway that is not running.
func (o *storeBackup) offline(dir string) error {
	if err := disk.Copy(gateway.StoreDir(o.data), dir); err != nil {
		return storeError(err)
	}
	return nil
}

// ask takes the backup from a running gateway.
func (o *storeBackup) ask(ctx context.Context, s streams, dir string) error {
	a, err := config.ParseAddress(o.url)
	switch {
	case err != nil:
		return &exitError{exitUsage, err.Error()}
	case a.Scheme.Protocol != "http":
		return &exitError{exitUsage, o.url + " is no admin listener. Try: --url http://127.0.0.1:8088"}
	}
	if err := disk.Vacant(dir); err != nil {
		return storeError(err)
	}
	user, password, err := credentials(s, a.User, o.user, o.passwordFile)
	if err != nil {
		return err
	}
	to := url.URL{Scheme: a.Scheme.Name, Host: a.HostPort(), Path: "/api/v1/store/backup"}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), http.NoBody)
	if err != nil {
		return &exitError{exitUsage, err.Error()}
	}
	if user != "" {
		r.SetBasicAuth(user, string(password))
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return &exitError{exitUnreachable, fmt.Sprintf("%s: no answer: %v. Is the gateway running there? Try: entrepot serve", to.Host, errors.Unwrap(err))}
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return refusedBackup(to.Host, answer)
	}
	if err := disk.Unpack(answer.Body, dir); err != nil {
		return &exitError{exitFailed, fmt.Sprintf("%v. %s holds no backup", err, dir)}
	}
	return nil
}

// refusedBackup tells what the gateway said.
func refusedBackup(host string, answer *http.Response) error {
	var said struct{ Detail string }
	_ = json.NewDecoder(io.LimitReader(answer.Body, 64<<10)).Decode(&said)
	e := &exitError{exitFailed, fmt.Sprintf("%s: %s: %s", host, answer.Status, said.Detail)}
	switch answer.StatusCode {
	case http.StatusUnauthorized:
		e.code = exitLogin
		e.text += ". Try: --user NAME --password-file FILE"
	case http.StatusForbidden:
		e.code = exitDenied
	}
	return e
}
