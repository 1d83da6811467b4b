package conformance

import (
	"go/parser"
	"go/token"
	"reflect"
	"testing"
)

const source = `// Package x is one. [MQTT-1.1.1-1]
package x

var a = 1 // [MQTT-2.2.2-2]

func (r *reader) short() {}

// id reads. [3: MQTT-3.3.3-3]
// [MQTT-3.3.3-4]
func (r *reader) id() {
	_ = 1 // [MQTT-4.4.4-4] and [MQTT-4.4.4-5]
}

type (
	// b is. [MQTT-5.5.5-5]
	b int
	c int // [MQTT-6.6.6-6]
)
`

func TestACitationBelongsToTheDeclarationThatItStandsIn(t *testing.T) {
	t.Parallel()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "x.go", source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	f := &Found{Lines: map[string][]Place{}}
	f.lines("x.go", fset, file)
	got := map[string]string{}
	for id, at := range f.Lines {
		got[id] = at[0].Decl
	}
	want := map[string]string{
		"MQTT-1.1.1-1": "package", "MQTT-2.2.2-2": "a", "3: MQTT-3.3.3-3": "reader.id", "MQTT-3.3.3-4": "reader.id",
		"MQTT-4.4.4-4": "reader.id", "MQTT-4.4.4-5": "reader.id", "MQTT-5.5.5-5": "b", "MQTT-6.6.6-6": "c",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestATestIsNamedForAStatementByNameOrComment(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "x_test.go", `package x
// TestMQTT_MC1 is one.
func TestMQTT_MC1_MM7_Other(t *testing.T) {}
// FuzzX is MW7, and cites [MQTT-1.1.1-1].
func FuzzX(f *testing.F) {}
func helperMQ1() {}
`, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	f := &Found{Tests: map[string][]Place{}}
	f.tests("x_test.go", file)
	one, two := []Place{{"x_test.go", "TestMQTT_MC1_MM7_Other"}}, []Place{{"x_test.go", "FuzzX"}}
	want := map[string][]Place{"MC1": one, "MM7": one, "MW7": two, "MQTT-1.1.1-1": two}
	if !reflect.DeepEqual(f.Tests, want) {
		t.Errorf("got  %v\nwant %v", f.Tests, want)
	}
}

func TestAListIsReadStrictly(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"1.1.1-1 | server | MC1", "1.1.1-1 | nobody | MC1 | text"} {
		if _, err := parse(bad, "MQTT-", 4); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
