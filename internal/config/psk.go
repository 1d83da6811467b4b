package config

import (
	"fmt"

	"github.com/entrepot/entrepot/internal/pskfile"
)

// checkPSK reads the keys of a listener's clients, so that a start fails before anything is bound. SECURITY U16
func checkPSK(d *decoder, l *Listener, n *node, path string) {
	key := n.child("psk")
	switch {
	case key == nil || l.PSK == "":
		return
	case !l.Address.Scheme.DTLS():
		d.fail(key.at, CodeTLS, path+".psk", fmt.Sprintf("%s.psk is for coaps:// and mqttsns://, not for %s://", path, l.Address.Scheme.Name))
		return
	}
	const shown = 10 // the first mistakes of a file
	for i, p := range pskfile.Check(string(l.PSK)) {
		if i == shown {
			break
		}
		d.fail(key.at, CodeTLS, path+".psk", path+".psk: "+p.Message).Warning = p.Warning
	}
}
