package auth

import (
	"fmt"
	"strings"

	"github.com/entrepot/entrepot/core"
)

// Principal is who a login of the user would be, with a client identifier and, where a listener or the peer names one,
// a namespace; or why the login would be refused.
func (u *User) Principal(clientID, ns string) (*core.Principal, error) {
	p := &core.Principal{User: u.Name, Roles: u.Roles, ClientID: clientID}
	var ok bool
	if p.Namespace, ok = namespace("", ns, u.Namespaces); !ok || ns != "" && p.Namespace != ns {
		own := u.Namespaces
		if len(own) == 0 {
			own = []string{core.DefaultNamespace}
		}
		return nil, fmt.Errorf("user %q belongs to %s", u.Name, strings.Join(own, ", "))
	}
	if len(u.ClientIDs) > 0 && clientID != "" {
		if !owns(u.ClientIDs, clientID) {
			return nil, fmt.Errorf("user %q may not have the client identifier %q, only %s", u.Name, clientID, strings.Join(u.ClientIDs, ", "))
		}
		p.OwnsID = true
	}
	return p, nil
}
