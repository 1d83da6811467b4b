package access

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/auth"
)

const deviceUsers = `
roles: {r: ["pub #"]}
users: [{name: beacon, role: [r], client_ids: ["sn-*"], password: none}, {name: joe, role: [r], password: "HASH"}]
`

func TestSecurity_2_2_TheTableOfClients(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clients.yaml")
	write(t, file, "- {client_id: \"sn-7*\", from: [10.0.0.0/24], user: beacon}\n- {client_id: \"x*\", from: [10.0.0.1], user: beacon}\n")
	text := strings.ReplaceAll(deviceUsers, "HASH", hash)
	s, sections, err := settings(t, text)
	if err != nil {
		t.Fatal(err)
	}
	table, problems := s.Devices("listeners[0].clients", file)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	c, s, problems := New(Options{Sections: sections})
	if problems.Failed() {
		t.Fatal(problems)
	}
	c.Use(s, map[string]auth.Listener{"udp": {Devices: table, Anonymous: true}, "closed": {}, "open": {Anonymous: true}})
	for name, x := range map[string]struct {
		cr   adapters.Credentials
		user string
		want core.Reason
	}{
		"listed":                   {adapters.Credentials{Listener: "udp", Addr: "10.0.0.9:1", ClientID: "sn-71"}, "beacon", core.OK},
		"mapped address":           {adapters.Credentials{Listener: "udp", Addr: "[::ffff:10.0.0.9]:1", ClientID: "sn-71"}, "beacon", core.OK},
		"another address":          {adapters.Credentials{Listener: "udp", Addr: "10.0.1.9:1", ClientID: "sn-71"}, "", core.NotAuthenticated},
		"another identifier":       {adapters.Credentials{Listener: "udp", Addr: "10.0.0.9:1", ClientID: "sn-81"}, "", core.NotAuthenticated},
		"no address":               {adapters.Credentials{Listener: "udp", ClientID: "sn-71"}, "", core.NotAuthenticated},
		"not one of the user's":    {adapters.Credentials{Listener: "udp", Addr: "10.0.0.1:1", ClientID: "x1"}, "", core.BadClientID},
		"with a password":          {adapters.Credentials{Listener: "udp", Addr: "10.0.0.9:1", ClientID: "sn-71", HasUser: true, User: "joe", Password: []byte("secret")}, "joe", core.OK},
		"with a wrong one":         {adapters.Credentials{Listener: "udp", Addr: "10.0.0.9:1", ClientID: "sn-71", HasUser: true, User: "joe", Password: []byte("x")}, "", core.NotAuthenticated},
		"elsewhere":                {adapters.Credentials{Listener: "closed", Addr: "10.0.0.9:1", ClientID: "sn-71"}, "", core.NotAuthenticated},
		"named by the listener":    {adapters.Credentials{Listener: "open", Device: "beacon"}, "beacon", core.OK},
		"named, and nobody":        {adapters.Credentials{Listener: "closed", Device: "nobody"}, "", core.NotAuthenticated},
		"named, nobody, anonymous": {adapters.Credentials{Listener: "open", Device: "nobody"}, "anonymous", core.OK},
		"another certificate's":    {adapters.Credentials{Listener: "udp", Addr: "10.0.0.9:1", ClientID: "sn-71", Certificate: &adapters.Certificate{CommonName: "joe"}}, "joe", core.OK},
		"an unknown certificate's": {adapters.Credentials{Listener: "udp", Addr: "10.0.0.9:1", ClientID: "sn-71", Certificate: &adapters.Certificate{CommonName: "x"}}, "", core.NotAuthenticated},
	} {
		p, r := c.Authenticate(t.Context(), x.cr)
		if r != x.want || x.user != "" && (p == nil || p.User != x.user) || x.user == "" && p != nil {
			t.Errorf("%s: %+v, %v", name, p, r)
		}
	}
}

func TestSecurity_S7_ATableOfClientsThatCannotBeReadIsAnError(t *testing.T) {
	s, _, err := settings(t, strings.ReplaceAll(deviceUsers, "HASH", hash))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"": "no list of clients", "users: []": "users", "- {client_id: a, from: [10.0.0.0/8], user: nobody}": "no user \"nobody\"",
		"- {client_id: a, user: joe}": "from is missing", "- {from: [10.0.0.0/8], user: joe}": "client_id is missing",
		"- {client_id: a, from: [x], user: joe}": "from", "- {client: a}": "client", "[": "YAML",
	} {
		file := filepath.Join(t.TempDir(), "clients.yaml")
		write(t, file, text)
		if list, problems := s.Devices("listeners[0].clients", file); !problems.Failed() || !strings.Contains(problems.Error(), want) {
			t.Errorf("%q: %v, %v", text, list, problems)
		}
	}
	if _, problems := s.Devices("listeners[0].clients", "/nowhere/clients.yaml"); !problems.Failed() {
		t.Error("a file that is not there")
	}
}
