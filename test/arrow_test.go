package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/entrepot/entrepot/"

// Groups of the table below.
var (
	wire    = []string{"mqtt/packet", "mqttsn/packet", "coap/message", "stomp/frame", "amqp/amqp091/wire"}
	clients = []string{"mqtt/client", "mqttsn/client", "coap/client", "stomp/client", "amqp/client"}
	rooms   = []string{"mqtt", "mqttsn", "coap", "stomp", "amqp", "amqp/amqp091"}
	below   = []string{"core", "core/topic", "adapters"}
)

// arrows lists every package of the house and what it may import of the house. Arrows
// point down only: cmd -> internal/standard -> rooms and internal/* -> adapters -> core.
var arrows = map[string][]string{
	"core/topic":     {"core/ordered"},
	"core/ordered":   {},
	"core":           {"core/topic", "core/ordered"},
	"core/storetest": {"core", "core/topic"},

	"adapters":                  {"core", "core/topic"},
	"adapters/limit":            below,
	"adapters/listen":           plus(below, "adapters/limit"),
	"adapters/adaptertest":      plus(below, "adapters/limit", "adapters/listen", "internal/store/memory", "core/ordered"),
	"adapters/adaptertest/line": plus(below, "adapters/adaptertest"),

	"mqtt/packet":       {},
	"mqttsn/packet":     {},
	"coap/message":      {},
	"stomp/frame":       {},
	"amqp/amqp091/wire": {},
	"amqp/exchange":     plus(below, "amqp/amqp091/wire"),

	"mqtt":         plus(below, "adapters/limit", "mqtt/packet"),
	"mqttsn":       plus(below, "adapters/limit", "mqttsn/packet"),
	"coap":         plus(below, "adapters/limit", "coap/message"),
	"stomp":        plus(below, "adapters/limit", "stomp/frame"),
	"amqp":         plus(below, "adapters/limit", "amqp/amqp091", "amqp/exchange", "amqp/amqp091/wire"),
	"amqp/amqp091": plus(below, "adapters/limit", "amqp/exchange", "amqp/amqp091/wire"),

	"mqtt/client":   {"mqtt/packet"},
	"mqttsn/client": {"mqttsn/packet"},
	"coap/client":   {"coap/message", "core/topic"},
	"stomp/client":  {"stomp/frame", "core/topic"},
	"amqp/client":   {"amqp/amqp091/wire", "core/topic"},

	"internal/auth/scram":      {"adapters", "core"},
	"internal/pskfile":         {"internal/unreadable"},
	"internal/tlsconf":         {"internal/unreadable"},
	"internal/unreadable":      {},
	"internal/tlsconf/tlstest": {},

	"internal/acl":                {"core", "core/topic"},
	"internal/access":             plus(below, "internal/acl", "internal/auth", "internal/auth/mosquitto", "internal/auth/password", "internal/config", "internal/unreadable"),
	"internal/auth":               plus(below, "internal/auth/password", "internal/auth/scram", "internal/unreadable"),
	"internal/auth/mosquitto":     plus(below, "internal/acl", "internal/auth", "internal/auth/password"),
	"internal/auth/password":      {"internal/auth/scram"},
	"internal/config":             {"internal/pskfile", "internal/tlsconf", "internal/unreadable"},
	"internal/conformance":        {},
	"internal/importer/mosquitto": {"internal/acl", "internal/auth", "internal/auth/mosquitto", "internal/auth/password"},
	"internal/store/memory":       {"core", "core/ordered"},
	"internal/store/disk":         {"core"},
	"internal/metrics":            plus(below, "adapters/listen"),
	"internal/admin":              {},
	"internal/sys":                below,
	"internal/eventlog":           {},
	"internal/standard":           plus(rooms, "adapters", "core"),
	"internal/dial":               plus(slices.Concat(clients, wire), "core/topic", "internal/config", "internal/tlsconf"),
	"internal/gateway": plus(below, "adapters/listen", "adapters/limit", "internal/access", "internal/acl", "internal/auth", "internal/config", "internal/pskfile", "internal/tlsconf",
		"internal/store/memory", "internal/store/disk", "internal/metrics", "internal/admin", "internal/standard", "internal/sys", "internal/eventlog", "internal/overload", "internal/unreadable"),
	"internal/overload": {"core", "internal/store/memory"},
	"internal/render":   {"internal/dial"},
	"internal/bench":    {"internal/dial", "internal/config"},
	"internal/generate": plus(below, "internal/config", "internal/standard", "internal/gateway", "internal/metrics", "internal/sys"),
	"configs":           {},
	"cmd/entrepot": {"configs", "adapters/listen", "internal/config", "internal/tlsconf", "internal/gateway", "internal/dial", "internal/pskfile", "internal/render", "internal/bench", "internal/eventlog",
		"internal/access", "internal/acl", "internal/auth", "internal/auth/password", "internal/importer/mosquitto", "internal/store/disk", "internal/unreadable", "core", "core/topic"},

	"test":             {},
	"test/script":      {"internal/dial"},
	"test/matrix":      {"test/script", "internal/gateway", "internal/config", "internal/dial", "internal/tlsconf"},
	"test/crash":       {"internal/config", "internal/dial"},
	"test/rig":         {"internal/gateway", "internal/config", "internal/dial"},
	"test/abuse":       {"test/rig"},
	"test/credentials": {"test/rig"},
	"test/scale":       {"test/rig", "mqtt/packet", "internal/auth/password"},
	"test/peers":       {"internal/bench", "test/peers/load", "test/peers/relay"},
	"test/peers/load":  {"internal/bench"},
	"test/peers/relay": {},
	"test/interop":     {"test/script", "internal/config", "internal/dial"},
}

func plus(list []string, more ...string) []string { return append(slices.Clone(list), more...) }

// A room is one package of the house as its files tell it.
type folder struct {
	name    string
	comment bool
	imports map[string]string // package of the house -> file that imports it
}

func house(t *testing.T) map[string]*folder {
	t.Helper()
	root := ".."
	found := map[string]*folder{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if n := e.Name(); n == "testdata" || n == "node_modules" || strings.HasPrefix(n, ".") && path != root {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		f := found[dir]
		if f == nil {
			f = &folder{imports: map[string]string{}}
			found[dir] = f
		}
		f.add(file, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 5 {
		t.Fatalf("only %d packages found", len(found))
	}
	return found
}

func (f *folder) add(file *ast.File, path string) {
	test := strings.HasSuffix(path, "_test.go")
	if !test || f.name == "" {
		f.name = strings.TrimSuffix(file.Name.Name, "_test")
	}
	if file.Doc != nil && len(strings.TrimSpace(file.Doc.Text())) > 40 {
		f.comment = true
	}
	if test {
		return // tests may look further; what is built may not
	}
	for _, i := range file.Imports {
		if to, ours := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), module); ours {
			f.imports[to] = path
		}
	}
}

func TestArrowsPointDown(t *testing.T) {
	t.Parallel()
	found := house(t)
	for dir := range arrows {
		if found[dir] == nil {
			t.Errorf("%s: a row without a room: remove it", dir)
		}
	}
	for dir, f := range found {
		allowed, ok := arrows[dir]
		if !ok {
			t.Errorf("%s: no room: add it, or move the code", dir)
			continue
		}
		for to, file := range f.imports {
			if to != dir && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s: %s must not know it", file, to, dir)
			}
		}
	}
}

func TestTheTableHasNoCircle(t *testing.T) {
	t.Parallel()
	state := map[string]int{}
	var visit func(p string)
	visit = func(p string) {
		switch state[p] {
		case 1:
			t.Fatalf("%s reaches itself", p)
		case 2:
			return
		}
		state[p] = 1
		for _, to := range arrows[p] {
			visit(to)
		}
		state[p] = 2
	}
	for _, p := range slices.Sorted(maps.Keys(arrows)) {
		visit(p)
	}
}

func TestEveryPackageOpensWithAComment(t *testing.T) {
	t.Parallel()
	for dir, f := range house(t) {
		if !f.comment {
			t.Errorf("%s: the package has no comment that says what it is and which document defines it", dir)
		}
	}
}

func TestPackagesAreNamedForWhatTheyProvide(t *testing.T) {
	t.Parallel()
	for dir, f := range house(t) {
		for _, word := range []string{"util", "utils", "common", "helper", "helpers", "misc"} {
			if f.name == word || filepath.Base(dir) == word {
				t.Errorf("%s: %s says nothing about what is in it", dir, word)
			}
		}
	}
}
