package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/entrepot/entrepot/internal/access"
)

// userAdd holds the flags of `entrepot user add`.
type userAdd struct {
	usersFile
	newPassword
	entry access.Entry
}

func userAddCommand(s streams) *cobra.Command {
	o := &userAdd{}
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user",
		Long: `Add a user to the file, which is made if it is not there. The password is asked for on a terminal, or read from --password-file;
otherwise one is generated, and printed this once. A user without password logs in by certificate or pre-shared key: --hash none.`,
		Example: `  entrepot user add boss --file users.yaml --role ops
  entrepot user add gw2 --file users.yaml --role sensor --client-id 'gw2-*' --password-file secret.txt
  entrepot user add beacon --file users.yaml --role sensor --hash none`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), s, args[0]) },
	}
	o.usersFile.flags(cmd)
	o.newPassword.flags(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&o.entry.Role, "role", nil, "role of the user, may be repeated")
	f.StringArrayVar(&o.entry.ClientIDs, "client-id", nil, "client identifier that the user may have, * for any characters, may be repeated (default any)")
	f.StringArrayVar(&o.entry.Namespaces, "namespace", nil, "namespace of the user, may be repeated (default the default one)")
	return cmd
}

func (o *userAdd) run(ctx context.Context, s streams, name string) error {
	o.entry.Name = name
	for flag, words := range map[string][]string{"NAME": {name}, "--client-id": o.entry.ClientIDs, "--namespace": o.entry.Namespaces} {
		if err := checkWords(flag, words); err != nil {
			return err
		}
	}
	if err := o.find(); err != nil {
		return err
	}
	if err := o.known(); err != nil {
		return err
	}
	// A name that is taken is told before a password is asked for; the edit itself looks again.
	if have, err := access.UsersFile(o.file); err == nil && slices.ContainsFunc(have, func(u access.User) bool { return u.Name == name }) {
		return o.edit(name, func(*access.File) error { return access.ErrUserExists })
	}
	stored, generated, err := o.take(ctx, s, name)
	if err != nil {
		return err
	}
	o.entry.Password = access.Stored(stored)
	first := false
	err = o.edit(name, func(f *access.File) error {
		first = len(f.Users)+len(o.users) == 0
		return f.Add(o.entry)
	})
	if err != nil {
		return err
	}
	o.tell(s, "added", name, o.file, generated)
	if first { // SECURITY U4
		fmt.Fprintf(s.err, "This is the first user: with auth: {file: %s} in its configuration, the gateway lets nobody in without a login from its next reload on,\n"+
			"but on listeners that say anonymous: true.\n", o.file)
	}
	if len(o.entry.Role) == 0 {
		fmt.Fprintf(s.err, "%s has no role, and so may do nothing yet.\n", name)
	}
	return nil
}

// known refuses what the configuration would not load with.
func (o *userAdd) known() error {
	if o.config == "" {
		return nil
	}
	for _, u := range o.users {
		if u.Name == o.entry.Name {
			return &exitError{exitFailed, fmt.Sprintf("%s itself has a user %q", o.config, u.Name)}
		}
	}
	for _, role := range o.entry.Role {
		if _, ok := o.roles[role]; !ok {
			return &exitError{exitFailed, fmt.Sprintf("%s has no role %q, only: %s", o.config, role, strings.Join(slices.Sorted(maps.Keys(o.roles)), ", "))}
		}
	}
	return nil
}

func userPasswdCommand(s streams) *cobra.Command {
	u, p := &usersFile{}, &newPassword{}
	cmd := &cobra.Command{
		Use:     "passwd NAME",
		Short:   "Change a user's password",
		Long:    "Change the password of a user of the file. It comes from where `user add` takes it.",
		Example: "  entrepot user passwd gw1 --file users.yaml --password-file secret.txt",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := u.find(); err != nil {
				return err
			}
			name := args[0]
			have, err := access.UsersFile(u.file)
			if err != nil {
				return &exitError{exitConfig, err.Error()}
			}
			if !slices.ContainsFunc(have, func(x access.User) bool { return x.Name == name }) {
				return u.edit(name, func(*access.File) error { return access.ErrNoUser })
			}
			stored, generated, err := p.take(cmd.Context(), s, name)
			if err != nil {
				return err
			}
			if err := u.edit(name, func(f *access.File) error { return f.SetPassword(name, stored) }); err != nil {
				return err
			}
			p.tell(s, "changed", name, u.file, generated)
			return nil
		},
	}
	u.flags(cmd)
	p.flags(cmd)
	return cmd
}
