package config

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// files writes a folder of files, and returns the path of entrepot.yaml in it.
func files(t *testing.T, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "entrepot.yaml")
}

// readWith reads a file with a section of its own.
func readWith(file string, in Input) (*Config, *room, Problems) {
	r := &room{}
	in.File, in.Sections, in.Protocols = file, map[string]any{"mqtt": r}, map[string][]string{"mqtt": {"mqtt"}}
	c, problems := Read(in)
	return c, r, problems
}

func TestInclude_MapsMergeAndListsAppendInTheOrderOfNames(t *testing.T) {
	t.Parallel()
	file := files(t, map[string]string{
		"entrepot.yaml":      "include: [conf.d/*.yaml, \"${EXTRA}.yaml\", none/*.yaml]\nmqtt: {max_qos: 1, names: [a]}\nlisteners: ['mqtt://127.0.0.1:1']\n",
		"conf.d/20.yaml":     "mqtt: {names: [c], enabled: true}\nlisteners: ['mqtt://127.0.0.1:3']\n",
		"conf.d/10.yaml":     "mqtt: {names: [b]}\nlisteners: ['mqtt://127.0.0.1:2']\n",
		"conf.d/ignored.txt": "x",
		"more.yaml":          "include: deeper/x.yaml\nlog: {level: warn}\n",
		"deeper/x.yaml":      "node: {data: beside}\n",
	})
	c, r, problems := readWith(file, Input{Environ: []string{"EXTRA=more"}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var urls []string
	for _, l := range c.Listeners {
		urls = append(urls, l.URL[len("mqtt://127.0.0.1:"):])
	}
	if strings.Join(urls, "") != "123" || strings.Join(r.Names, "") != "abc" || r.MaxQoS != 1 || !r.Enabled || c.Log.Level != "warn" {
		t.Errorf("%v %+v %+v", urls, r, c.Log)
	}
	if want := filepath.Join(filepath.Dir(file), "deeper", "beside"); c.Node.Data != want { // C13
		t.Errorf("data is %s, want %s", c.Node.Data, want)
	}
}

func TestInclude_EachMistakeNamesItsOwnFile(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		texts  map[string]string
		places []string
		says   []string
	}{
		"scalar twice": {map[string]string{"entrepot.yaml": "include: a.yaml\nlog:\n  level: warn\n", "a.yaml": "\nlog: {level: info}\n"},
			[]string{"a.yaml:2:7"}, []string{"log.level is given twice, also at ", "entrepot.yaml:3"}},
		"key":     {map[string]string{"entrepot.yaml": "include: [a.yaml]\n", "a.yaml": "mqtt:\n  max_qoss: 1\n"}, []string{"a.yaml:2:3"}, []string{`did you mean "max_qos"?`, ">  2 |   max_qoss: 1"}},
		"syntax":  {map[string]string{"entrepot.yaml": "include: [a.yaml]\nnodes: {}\n", "a.yaml": "mqtt: [\n"}, []string{"entrepot.yaml:2:1", "a.yaml:"}, []string{"not valid YAML", "nodes"}},
		"missing": {map[string]string{"entrepot.yaml": "include:\n  - a.yaml\n"}, []string{"entrepot.yaml:2:5"}, []string{"a.yaml cannot be read: there is no such file"}},
		"itself":  {map[string]string{"entrepot.yaml": "include: entrepot.yaml\n"}, []string{"entrepot.yaml:1:10"}, []string{"includes itself"}},
		"circle":  {map[string]string{"entrepot.yaml": "include: a.yaml\n", "a.yaml": "include: ./entrepot.yaml\n"}, []string{"a.yaml:1:10"}, []string{"includes itself"}},
		"twice":   {map[string]string{"entrepot.yaml": "include: ['*.yml', a.yml]\n", "a.yml": ""}, []string{"entrepot.yaml:1:20"}, []string{"a.yml is included twice, first at "}},
		"pattern": {map[string]string{"entrepot.yaml": "include: ['[']\n"}, []string{"entrepot.yaml:1:11"}, []string{`"[" is no pattern`}},
		"map":     {map[string]string{"entrepot.yaml": "include: {a: b}\n"}, []string{"entrepot.yaml:1:11"}, []string{"include lists files, not keys of its own"}},
		"types":   {map[string]string{"entrepot.yaml": "include: a.yaml\nmqtt: {names: [a]}\n", "a.yaml": "mqtt: {names: b}\n"}, []string{"a.yaml:1:8"}, []string{"mqtt.names is given twice"}},
		"not ours": {map[string]string{"entrepot.yaml": "include: a.yaml\nmqtt: {max_qos: 9}\n", "a.yaml": "mqtt: {retry: x}\n"},
			[]string{"entrepot.yaml:2:17", "a.yaml:1:15"}, []string{"between 0 and 2", "a duration is written"}},
	} {
		file := files(t, x.texts)
		_, _, problems := readWith(file, Input{})
		if len(problems) != len(x.places) {
			t.Errorf("%s: %v", name, problems)
			continue
		}
		for i, place := range x.places {
			if got := strings.TrimPrefix(problems[i].Place(), filepath.Dir(file)+"/"); !strings.HasPrefix(got, place) {
				t.Errorf("%s: at %s, want %s", name, got, place)
			}
		}
		for _, says := range x.says {
			if !strings.Contains(problems.Error(), says) {
				t.Errorf("%s: no %q in\n%v", name, says, problems)
			}
		}
	}
}

func TestInclude_DepthAndNumberAreBounded(t *testing.T) {
	t.Parallel()
	deep := map[string]string{"entrepot.yaml": "include: 0.yaml\n"}
	for i := range maxIncludeDepth + 2 {
		deep[fmt.Sprintf("%d.yaml", i)] = fmt.Sprintf("include: %d.yaml\n", i+1)
	}
	wide := map[string]string{"entrepot.yaml": "include: 'd/*.yaml'\n"}
	for i := range maxFiles + 3 {
		wide[fmt.Sprintf("d/%03d.yaml", i)] = ""
	}
	large := map[string]string{"entrepot.yaml": "include: '*.yml'\n"}
	for i := range maxBytes/maxFile + 2 {
		large[fmt.Sprintf("%d.yml", i)] = strings.Repeat("#", maxFile-1) + "\n"
	}
	for want, texts := range map[string]map[string]string{"include leads deeper than": deep, "more than 256 files": wide, "larger than 4MiB together": large} {
		if _, _, problems := readWith(files(t, texts), Input{}); !problems.Failed() || !strings.Contains(problems.Error(), want) {
			t.Errorf("want %q, got %.300v", want, problems)
		}
	}
}

// memory is a disk of three files.
func memory(texts map[string]string) disk {
	return disk{
		read: func(name string) ([]byte, error) {
			text, ok := texts[name]
			if !ok {
				return nil, fs.ErrNotExist
			}
			if len(text) > maxFile {
				return nil, plainError{verb: "is larger than 1 MiB"}
			}
			return []byte(text), nil
		},
		glob: func(pattern string) (list []string, err error) {
			for name := range texts {
				ok, err := path.Match(pattern, name)
				if err != nil {
					return nil, err
				}
				if ok {
					list = append(list, name)
				}
			}
			return list, nil
		},
		same: filepath.Clean,
	}
}

func FuzzReadWithIncludes(f *testing.F) {
	bomb := "a: &a [1,1]\n"
	for i := range 20 {
		bomb += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c]\n", 'b'+i, 'b'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i)
	}
	for _, x := range [][3]string{
		{"include: [b, c]\nmqtt: {max_qos: 1}", "mqtt: {names: [x]}", "listeners: ['mqtt://127.0.0.1:1']"},
		{"include: '*'", "include: a", "include: [a, b, c]"},
		{bomb, bomb, strings.Repeat("[", 70)},
		{"include: b", "mqtt:\n  rules: &x\n   - {on: in}\n", "x: *x"},
		{"node: {name: '${A:-${B}}'}\ninclude: ${C}", "\xff", strings.Repeat("- ", 4000)},
		{strings.Repeat("a: 1\n", 1<<17), "", "password: |\n  hidden\nx: y"},
	} {
		f.Add(x[0], x[1], x[2])
	}
	f.Fuzz(func(t *testing.T, a, b, c string) {
		in := Input{File: "a", Environ: []string{"C=c"}, Sections: map[string]any{"mqtt": &room{}}, Protocols: map[string][]string{"mqtt": {"mqtt"}}}
		got := read(in, memory(map[string]string{"a": a, "b": b, "c": c}))
		for _, p := range got.problems {
			if p.Message == "" || p.Code == "" || strings.Contains(p.Message, "ast.") {
				t.Errorf("%+v", p)
			}
		}
		_ = got.problems.Error()
		if !got.problems.Failed() {
			_ = got.Show(nil, true)
		}
	})
}
