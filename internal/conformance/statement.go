package conformance

import (
	"bufio"
	_ "embed"
	"fmt"
	"strings"
)

var (
	//go:embed mqtt5.txt
	mqtt5 string
	//go:embed mqtt311.txt
	mqtt311 string
	//go:embed entrepot.txt
	entrepot string
	//go:embed gaps.txt
	gaps string
)

// A Statement is one row of a list.
type Statement struct {
	ID    string   // as in a citation: "MQTT-3.1.0-1", "3: MQTT-3.1.0-1", "MC1"
	Binds string   // server, client or both; empty for entrepot's own
	Held  []string // the statements of entrepot that hold it
	Text  string
}

// Server tells that the statement binds a server.
func (s *Statement) Server() bool { return s.Binds != "client" }

// Lists returns the statements of 5.0, of 3.1.1, and of entrepot.
func Lists() (v5, v311, own []Statement, err error) {
	for _, l := range []struct {
		text, prefix string
		columns      int
		into         *[]Statement
	}{{mqtt5, "MQTT-", 4, &v5}, {mqtt311, "3: MQTT-", 4, &v311}, {entrepot, "", 2, &own}} {
		if *l.into, err = parse(l.text, l.prefix, l.columns); err != nil {
			return nil, nil, nil, err
		}
	}
	return v5, v311, own, nil
}

func parse(text, prefix string, columns int) (list []Statement, err error) {
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, " | ")
		if len(f) != columns {
			return nil, fmt.Errorf("%q: %d columns, want %d", line, len(f), columns)
		}
		s := Statement{ID: prefix + f[0], Text: f[columns-1]}
		if columns == 4 {
			s.Binds = f[1]
			if f[2] != "-" {
				s.Held = strings.Fields(f[2])
			}
			if s.Binds != "server" && s.Binds != "client" && s.Binds != "both" {
				return nil, fmt.Errorf("%q: binds nobody", line)
			}
		}
		list = append(list, s)
	}
	return list, nil
}
