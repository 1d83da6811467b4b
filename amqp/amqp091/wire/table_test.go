package wire

import (
	"bytes"
	"testing"
)

func nest(depth int) Table {
	var t Table
	for range depth {
		t = Table{}.Append("a", Nested(t))
	}
	return t
}

func TestAMQP_AQ3_TablesAreBounded(t *testing.T) {
	t.Parallel()
	if err := nest(MaxDepth).Check(); err != nil {
		t.Error("32 levels:", err)
	}
	if err := nest(MaxDepth + 1).Check(); codeOf(err) != SyntaxError {
		t.Error("33 levels:", err)
	}
	var flat Table
	for range MaxEntries {
		flat = flat.Append("", Void())
	}
	if err := flat.Check(); err != nil {
		t.Error("8192 entries:", err)
	}
	if err := flat.Append("", Void()).Check(); codeOf(err) != SyntaxError {
		t.Error("8193 entries:", err)
	}
	in := Table{}.Append("a", Value{'A', flat[:0]})
	var arr []byte
	for range MaxEntries {
		arr = append(arr, 'V')
	}
	if err := in.Append("b", Value{'A', arr}).Check(); codeOf(err) != SyntaxError {
		t.Error("entries of an array:", err)
	}
}

func TestAMQP_AQ3_TableLongerThanItsFrame(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"name":         "\x05ab",
		"no value":     "\x01a",
		"unknown type": "\x01aU\x00\x00",
		"short value":  "\x01aI\x00\x00",
		"no length":    "\x01aS\x00\x00",
		"long string":  "\x01aS\xff\xff\xff\xff",
		"long table":   "\x01aF\x00\x00\x00\x02\x00",
		"inside":       "\x01aF\x00\x00\x00\x02\x01b",
		"in array":     "\x01aA\x00\x00\x00\x01U",
	} {
		if err := Table(in).Check(); codeOf(err) != SyntaxError {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAMQP_AQ7_DuplicateNamesKeepTheFirst(t *testing.T) {
	t.Parallel()
	tab := Table{}.Append("a", Int(1)).Append("a", Int(2))
	v, ok := tab.Get("a")
	if n, _ := v.Int(); !ok || n != 1 {
		t.Fatal(v, ok)
	}
	if _, ok := tab.Get("b"); ok {
		t.Fatal("found what is not there")
	}
}

func TestIntegersAreWrittenAsClientsReadThem(t *testing.T) {
	t.Parallel()
	for n, typ := range map[int64]byte{0: 'I', -1 << 31: 'I', 1 << 31: 'l', -1 << 40: 'l'} {
		v := Int(n)
		if got, _ := v.Int(); v.Type != typ || got != n {
			t.Errorf("%d: %c %d", n, v.Type, got)
		}
	}
}

func FuzzTable(f *testing.F) {
	f.Add([]byte(nest(3)))
	f.Add([]byte(Table{}.Append("a", Array(Int(1), Longstr("x"), Void())).Append("d", Double(1))))
	f.Add([]byte("\x01aD\x02\x00\x00\x00\x01\x01tT\x00\x00\x00\x00\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if Table(in).Check() != nil {
			for range Table(in).All() { // must end all the same
			}
			return
		}
		var again Table
		for n, v := range Table(in).All() {
			show(v)
			again = append(append(again, byte(len(n))), n...)
			again = v.Append(again)
		}
		if !bytes.Equal(again, in) {
			t.Fatalf("%x\n%x", in, again)
		}
	})
}
