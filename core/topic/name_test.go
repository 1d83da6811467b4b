package topic

import (
	"errors"
	"strings"
	"testing"
)

func TestMQTT_MP1_NamesAreCheckedByTheRulesOfSection4_7(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		want error
	}{
		{"a", nil}, {"/", nil}, {"//", nil}, {"a/b", nil}, {"/a/", nil}, {" ", nil}, {"ü/é/日本", nil}, {"$SYS/x", nil},
		{"*/%/.", nil}, {"\u00a0", nil}, {"\ufeff", nil}, {"a\U0010FFFF", nil},
		{"", ErrEmpty},
		{"a\x00b", ErrNUL}, {"\x00", ErrNUL},
		{"a\x01", ErrControl}, {"a\x1f", ErrControl}, {"a\x7f", ErrControl}, {"a\u0080", ErrControl}, {"a\u009fb", ErrControl},
		{"a\xff", ErrUTF8}, {"\xed\xa0\x80", ErrUTF8}, {"\xc2", ErrUTF8}, {"\xc0\x80", ErrUTF8},
		{"+", ErrWildcard}, {"a/#", ErrWildcard}, {"a+b", ErrWildcard}, {"a#", ErrWildcard},
		{strings.Repeat("a", 65535), nil}, {strings.Repeat("a", 65536), ErrTooLong},
		{strings.Repeat("/", 127), nil}, {strings.Repeat("/", 128), ErrTooManyLevels},
	} {
		if err := CheckName(c.name, Limits{}); !errors.Is(err, c.want) {
			t.Errorf("CheckName(%.40q) = %v, want %v", c.name, err, c.want)
		}
		if err := CheckName([]byte(c.name), Limits{}); !errors.Is(err, c.want) {
			t.Errorf("CheckName(bytes %.40q) = %v, want %v", c.name, err, c.want)
		}
	}
}

func TestLimitsOfOneListenerHold(t *testing.T) {
	t.Parallel()
	l := Limits{Bytes: 5, Levels: 2}
	for name, want := range map[string]error{
		"abcde": nil, "abcdef": ErrTooLong, "a/b": nil, "a/b/c": ErrTooManyLevels,
	} {
		if err := CheckName(name, l); !errors.Is(err, want) {
			t.Errorf("CheckName(%q) = %v, want %v", name, err, want)
		}
		if err := CheckFilter(name, l); !errors.Is(err, want) {
			t.Errorf("CheckFilter(%q) = %v, want %v", name, err, want)
		}
	}
}

func TestCheckNameAllocatesNothing(t *testing.T) {
	name := []byte("site/7/line/3/sensor/temperature")
	if n := testing.AllocsPerRun(100, func() { _ = CheckName(name, Limits{}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCheckName(b *testing.B) {
	name := []byte("site/7/line/3/sensor/temperature")
	for b.Loop() {
		if err := CheckName(name, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
