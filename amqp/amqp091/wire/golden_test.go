package wire

import (
	"bufio"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what was read into the third column of the golden files")

// golden yields the rows of a testdata file: name, octets, reading.
func golden(t *testing.T, file string, read func(name string, raw []byte) string) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	rows := 0
	for s := bufio.NewScanner(strings.NewReader(string(b))); s.Scan(); {
		col := strings.Split(s.Text(), "\t")
		if len(col) != 3 {
			out.WriteString(s.Text() + "\n")
			continue
		}
		raw, err := hex.DecodeString(col[1])
		if err != nil {
			t.Fatal(err)
		}
		got := read(col[0], raw)
		if got != col[2] && !*update {
			t.Errorf("%s reads as\n%s want\n%s", col[0], got, col[2])
		}
		fmt.Fprintf(&out, "%s\t%s\t%s\n", col[0], col[1], got)
		rows++
	}
	if rows == 0 {
		t.Fatal("no rows")
	}
	if *update {
		if err := os.WriteFile("testdata/"+file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAMQP_AQ7_GoldenMethods(t *testing.T) {
	seen := map[ID]bool{}
	golden(t, "methods.txt", func(name string, raw []byte) string {
		m, err := ParseMethod(raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if m.ID().String() != name {
			t.Errorf("%s is called %s", name, m.ID())
		}
		seen[m.ID()] = true
		if again := AppendMethod(nil, m); string(again) != string(raw) {
			t.Errorf("%s is written as %x, want %x", name, again, raw)
		}
		return fmt.Sprintf("%+q", fmt.Sprintf("%+v", m))
	})
	for id := range specs {
		if !seen[id] {
			t.Errorf("no golden frame for %s", id)
		}
	}
}

func TestAMQP_AQ7_GoldenProperties(t *testing.T) {
	golden(t, "properties.txt", func(name string, raw []byte) string {
		var p Properties
		if err := p.Parse(raw); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if again := p.AppendTo(nil); string(again) != string(raw) {
			t.Errorf("%s is written as %x, want %x", name, again, raw)
		}
		return fmt.Sprintf("%+q", fmt.Sprintf("%+v", p))
	})
}

func TestAMQP_AQ7_GoldenFields(t *testing.T) {
	seen := ""
	golden(t, "fields.txt", func(name string, raw []byte) string {
		if err := Table(raw).Check(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var again Table
		var read []string
		for n, v := range Table(raw).All() {
			again = again.Append(string(n), v)
			read = append(read, fmt.Sprintf("%s=%s", n, show(v)))
			seen += string(rune(v.Type))
		}
		if string(again) != string(raw) {
			t.Errorf("%s is written as %x, want %x", name, again, raw)
		}
		return strings.Join(read, " ")
	})
	for _, c := range "tbBsuIilLfdDSxATFV" {
		if !strings.ContainsRune(seen, c) {
			t.Errorf("no golden field of type %c", c)
		}
	}
}

// show reads v by the accessor of its type.
func show(v Value) string {
	if n, ok := v.Int(); ok {
		return fmt.Sprintf("int %d", n)
	}
	if f, ok := v.Float(); ok {
		return fmt.Sprintf("float %g", f)
	}
	if b, ok := v.Bool(); ok {
		return fmt.Sprintf("bool %t", b)
	}
	if s, ok := v.Text(); ok {
		return fmt.Sprintf("text %q", s)
	}
	if s, ok := v.Timestamp(); ok {
		return fmt.Sprintf("time %d", s)
	}
	if n, scale, ok := v.Decimal(); ok {
		return fmt.Sprintf("decimal %d/%d", n, scale)
	}
	if t, ok := v.Table(); ok {
		var in []string
		for n, e := range t.All() {
			in = append(in, fmt.Sprintf("%s=%s", n, show(e)))
		}
		return fmt.Sprintf("table {%s}", strings.Join(in, " "))
	}
	if v.Type == 'A' {
		var in []string
		for e := range v.Array() {
			in = append(in, show(e))
		}
		return fmt.Sprintf("array [%s]", strings.Join(in, " "))
	}
	return fmt.Sprintf("%c %x", v.Type, v.Raw)
}
