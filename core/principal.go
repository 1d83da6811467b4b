package core

import "slices"

// In is the principal in the namespace that a peer asks for, "" for none in particular; nil where it may not be.
func (p *Principal) In(asked string) *Principal {
	own := p.Namespace
	if own == "" {
		own = DefaultNamespace
	}
	switch {
	case len(p.Choice) == 0 && (asked == "" || asked == own):
		return p
	case len(p.Choice) == 0:
		return nil
	case asked == "":
		asked = DefaultNamespace
	}
	switch {
	case !slices.Contains(p.Choice, asked):
		return nil
	case asked == own:
		return p
	}
	return &Principal{
		Namespace: asked, Choice: p.Choice, User: p.User, Roles: p.Roles, Attrs: p.Attrs,
		ClientID: p.ClientID, OwnsID: p.OwnsID, Method: p.Method, Expires: p.Expires,
	}
}
