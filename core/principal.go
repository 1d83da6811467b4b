package core

import "slices"

// Ends is when the login ends, by the wall clock as far as it is believed; 0:
// never.
func (p *Principal) Ends(c *Clock) Time {
	if p == nil {
		return 0
	}
	return c.Of(p.Expires)
}

// Is tells whether a name that a message carries as its sender's is the
// principal's own. Whoever is anonymous goes by the name that it gave, which
// nobody has checked.
func (p *Principal) Is(name, given string) bool {
	if p.Method == Anonymous.Method {
		return name == given
	}
	return name == p.User
}

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
