package access

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/entrepot/entrepot/internal/auth"
	"github.com/entrepot/entrepot/internal/config"
)

// Client is one element of `clients` in the file that a listener's clients names: who may come without other evidence.
type Client struct {
	// ClientID is the client identifier, with * for any characters.
	ClientID string `yaml:"client_id"`
	// From lists the addresses, each or in ranges. The address and the client identifier must both match.
	From []netip.Prefix `yaml:"from"`
	// User is whose rights the client has.
	User string `yaml:"user"`

	at string
}

// Locate is told where the client is written.
func (c *Client) Locate(file string, line int) { c.at = fmt.Sprintf("%s:%d", file, line) }

// Clients is the list of that file.
type Clients []Client

// Devices reads a file of clients, which a key names. Whoever is not in it is refused. A file without the list is an error
// (S7). The table is of use unless the problems have failed.
func (s *Settings) Devices(key, path string) ([]auth.Device, config.Problems) {
	var list Clients
	r := &Settings{}
	if err := config.LoadList(path, os.Environ(), "clients", &list); err != nil {
		r.adopt(key, err)
	}
	table := make([]auth.Device, 0, len(list))
	for _, c := range list {
		switch {
		case c.ClientID == "":
			r.failAt(c.at, "client_id is missing; * is any")
		case len(c.From) == 0:
			r.failAt(c.at, "from is missing; 0.0.0.0/0 is any address of IPv4")
		case s.table.User(c.User) == nil:
			r.failAt(c.at, "there is no user %q", c.User)
		}
		table = append(table, auth.Device{ClientID: c.ClientID, From: c.From, User: c.User})
	}
	return table, r.problems
}
