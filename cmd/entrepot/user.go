package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/entrepot/entrepot/internal/access"
	"github.com/entrepot/entrepot/internal/auth"
)

func userCommand(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Add, change, list and delete users",
		Long: `Edit the file of users: --file, or auth.file of the configuration. Passwords are stored as hashes, and never part of a command line.
The file is replaced as a whole, readable by its owner alone; a running gateway takes it within ten seconds, or at its next reload.`,
		Example: `  entrepot user add gw2 --file users.yaml --role sensor --client-id 'gw2-*'
  entrepot user list --file users.yaml`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return &exitError{exitUsage, "user is followed by add, passwd, list or delete. Try: entrepot user --help"}
		},
	}
	cmd.AddCommand(userAddCommand(s), userPasswdCommand(s), userListCommand(s), userDeleteCommand(s))
	return cmd
}

// usersFile says which file is edited.
type usersFile struct {
	file   string
	config string
	users  access.Users // those that the configuration itself holds
	roles  access.Roles // nil: not known
}

func (u *usersFile) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&u.file, "file", "", "file of users (default auth.file of the configuration)")
	cmd.Flags().StringVar(&u.config, "config", "", "configuration file (default $ENTREPOT_CONFIG)")
}

// find settles the file, by the flag or the configuration.
func (u *usersFile) find() error {
	if u.config == "" && u.file == "" {
		u.config = os.Getenv("ENTREPOT_CONFIG")
	}
	switch {
	case u.config != "":
	case u.file != "":
		return nil
	default:
		return &exitError{exitUsage, "which users? Try: --file users.yaml, or --config FILE with auth.file in it"}
	}
	_, sections, err := load(u.config)
	if err != nil {
		return &exitError{exitConfig, err.Error() + " Nothing was changed."}
	}
	u.users, u.roles = *sections["users"].(*access.Users), *sections["roles"].(*access.Roles)
	if u.file != "" {
		return nil
	}
	if u.file = string(sections["auth"].(*access.Auth).File); u.file == "" {
		return &exitError{exitConfig, u.config + " names no file of users. Try: auth: {file: users.yaml} in it, or --file FILE"}
	}
	return nil
}

// edit changes the file.
func (u *usersFile) edit(name string, change func(*access.File) error) error {
	err := access.EditUsers(u.file, change)
	var path *os.PathError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, access.ErrUserExists):
		return &exitError{exitFailed, fmt.Sprintf("%s: there is a user %q already. Try: entrepot user passwd %s", u.file, name, name)}
	case errors.Is(err, access.ErrNoUser):
		return &exitError{exitFailed, fmt.Sprintf("%s: there is no user %q. Try: entrepot user list", u.file, name)}
	case errors.As(err, &path):
		return &exitError{exitConfig, fmt.Sprintf("%s cannot be changed: %v", u.file, path.Err)}
	}
	return &exitError{exitConfig, err.Error()}
}

func userDeleteCommand(s streams) *cobra.Command {
	u := &usersFile{}
	cmd := &cobra.Command{
		Use:     "delete NAME",
		Short:   "Delete a user",
		Long:    "Delete a user from the file. Who is connected by that name loses its rights within ten seconds, or at the gateway's next reload.",
		Example: "  entrepot user delete gw1 --file users.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := u.find(); err != nil {
				return err
			}
			if err := u.edit(args[0], func(f *access.File) error { return f.Delete(args[0]) }); err != nil {
				return err
			}
			fmt.Fprintf(s.err, "deleted user %s from %s\n", args[0], u.file)
			return nil
		},
	}
	u.flags(cmd)
	return cmd
}

// listed is a user as it is shown: without its hash.
type listed struct {
	Name       string   `json:"name"`
	Roles      []string `json:"roles"`
	ClientIDs  []string `json:"client_ids"`
	Namespaces []string `json:"namespaces"`
	Password   string   `json:"password"` // its format, or none
}

func userListCommand(s streams) *cobra.Command {
	u, output := &usersFile{}, ""
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the users",
		Long:  "List the users of the file, and of the configuration itself where one is given. Of passwords only the format is shown.",
		Example: `  entrepot user list --file users.yaml
  entrepot user list --file users.yaml -o json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if output != "table" && output != "json" {
				return &exitError{exitUsage, fmt.Sprintf("-o %s is neither table nor json", output)}
			}
			if err := u.find(); err != nil {
				return err
			}
			users, err := access.UsersFile(u.file)
			if err != nil {
				return &exitError{exitConfig, err.Error()}
			}
			return printUsers(s, append(u.users, users...), output)
		},
	}
	u.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

func printUsers(s streams, users access.Users, output string) error {
	all := []listed{}
	for _, x := range users {
		l := listed{x.Name, some(x.Role), some(x.ClientIDs), some(x.Namespaces), "none"}
		if len(l.Namespaces) == 0 {
			l.Namespaces = []string{"default"}
		}
		if x.Password.Hash != nil {
			l.Password = x.Password.Kind()
		}
		all = append(all, l)
	}
	if output == "json" {
		return json.NewEncoder(s.out).Encode(all)
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tROLES\tCLIENT IDS\tNAMESPACES\tPASSWORD")
	for _, l := range all {
		ids := strings.Join(l.ClientIDs, ",")
		if ids == "" {
			ids = "any"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.Name, strings.Join(l.Roles, ","), ids, strings.Join(l.Namespaces, ","), l.Password)
	}
	return w.Flush()
}

// some is a list that JSON does not write as null.
func some(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// checkWords refuses names that no login could have.
func checkWords(flag string, words []string) error {
	for _, w := range words {
		if err := auth.CheckName(w); err != nil {
			return &exitError{exitUsage, fmt.Sprintf("%s %q: %v", flag, w, err)}
		}
	}
	return nil
}
