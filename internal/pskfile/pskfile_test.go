package pskfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const long = "00112233445566778899aabbccddeeff"

func TestSecurity_U16_LinesOfAKeyFile(t *testing.T) {
	t.Parallel()
	keys, problems := Parse("f", []byte("# devices\n\ndev1:"+long+"\r\nurn:dev:2:"+strings.ToUpper(long)+"\n"))
	if len(problems) != 0 || len(keys) != 2 || len(keys["dev1"]) != 16 || string(keys["urn:dev:2"]) != string(keys["dev1"]) {
		t.Errorf("%v, %v", keys, problems)
	}
	for line, want := range map[string]string{
		"dev1":                            "f:2: a line is identity:key",
		":" + long:                        "f:2: the identity is empty",
		"a+b:" + long:                     "f:2: the identity has a + or #",
		"a\x01:" + long:                   "f:2: the identity has a control character",
		"a\xff:" + long:                   "f:2: the identity is not UTF-8",
		strings.Repeat("a", 1025) + ":00": "f:2: the identity has more than 1024 bytes",
		"a:":                              `f:2: the key of "a" is empty`,
		"a:0":                             `f:2: the key of "a" is not an even number`,
		"a:" + "zz":                       `f:2: the key of "a" is not an even number`,
		"a:" + strings.Repeat("00", 513):  `f:2: the key of "a" has more than 512 bytes`,
		"old:" + long:                     `f:2: identity "old" is there already, in line 1`,
		"a:0011":                          `~f:2: the key of "a" has 2 bytes`,
	} {
		_, problems := Parse("f", []byte("old:"+long+"\n"+line))
		if len(problems) != 1 {
			t.Errorf("%.20q: %v", line, problems)
			continue
		}
		got := problems[0].Message
		if problems[0].Warning {
			got = "~" + got
		}
		if !strings.HasPrefix(got, want) || strings.Contains(got, "zz") {
			t.Errorf("%.20q: %s", line, got)
		}
	}
}

func TestSecurity_S7_ABrokenKeyFileLeavesTheOldKeys(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.psk")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(file, nil); err == nil || !strings.Contains(err.Error(), "there is no such file") {
		t.Errorf("%v", err)
	}
	write("dev1:" + long)
	now := time.Now()
	var told []error
	l, err := open(file, func(err error) { told = append(told, err) }, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	has := func(id string) bool { _, ok := l.Key(id); return ok }
	write("dev1:" + long + "\ndev2 half")
	if now = now.Add(every); !has("dev1") || has("dev2") || len(told) != 1 || told[0] == nil {
		t.Errorf("half a file: %v", told)
	}
	write("dev2:" + long + "\n")
	if has("dev2") {
		t.Error("looked too early")
	}
	if now = now.Add(every); has("dev1") || !has("dev2") || len(told) != 2 || told[1] != nil {
		t.Errorf("the new file: %v", told)
	}
	os.Remove(file)
	if now = now.Add(every); !has("dev2") || len(told) != 3 || told[2] == nil {
		t.Errorf("no file: %v", told)
	}
	if now = now.Add(every); !has("dev2") || len(told) != 3 {
		t.Errorf("told again: %v", told)
	}
}

func TestSecurity_S10_AKeyFileForEverybodyIsWarnedAbout(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.psk")
	if err := os.WriteFile(file, []byte("dev1:"+long), 0o644); err != nil {
		t.Fatal(err)
	}
	if p := Check(file); len(p) != 1 || !p[0].Warning || !strings.Contains(p[0].Message, "mode 0644") {
		t.Errorf("%v", p)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("a:00\n#\nb"))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, problems := Parse("f", b)
		for id, key := range keys {
			if id == "" || len(key) == 0 {
				t.Errorf("%q, %d problems", id, len(problems))
			}
		}
	})
}
