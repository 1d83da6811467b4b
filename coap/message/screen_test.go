package message

import "testing"

func screen(opts ...Option) (Options, Verdict, Number) {
	m := Message{}
	for _, o := range opts {
		m.Options.Add(o.Number, o.Value)
	}
	v, n := m.Screen()
	return m.Options, v, n
}

func TestCoAP_G3_UnknownCriticalOptionIsRefusedAndElectiveIgnored(t *testing.T) {
	t.Parallel()
	for _, n := range []Number{65001, 13, OSCORE, QBlock1, QBlock2} {
		if _, v, got := screen(Option{n, nil}); v != BadCritical || got != n {
			t.Errorf("%v: %v %v", n, v, got)
		}
	}
	left, v, _ := screen(Option{65000, nil}, Option{URIPath, []byte("a")}, Option{HopLimit + 2, nil})
	if v != Clean || len(left) != 1 || left[0].Number != URIPath {
		t.Errorf("%v %v", left, v)
	}
}

func TestCoAP_G4_IllegalLengthCountsAsUnknown(t *testing.T) {
	t.Parallel()
	long := make([]byte, 1100)
	for _, o := range []Option{
		{URIPath, long[:256]}, {URIQuery, long[:256]}, {IfNoneMatch, long[:1]}, {Block1, long[:4]},
		{Block2, long[:4]}, {Accept, long[:3]}, {URIHost, nil}, {IfMatch, long[:9]}, {ProxyURI, long[:1035]},
	} {
		if _, v, got := screen(o); v != BadCritical || got != o.Number {
			t.Errorf("%v of %d octets: %v", o.Number, len(o.Value), v)
		}
	}
	for _, o := range []Option{
		{ETag, long[:9]}, {ETag, nil}, {MaxAge, long[:5]}, {Observe, long[:4]}, {ContentFormat, long[:3]},
		{Echo, nil}, {NoResponse, long[:2]}, {Size1, long[:5]},
	} {
		if left, v, _ := screen(o); v != Clean || len(left) != 0 {
			t.Errorf("%v of %d octets: %v, left %v", o.Number, len(o.Value), v, left)
		}
	}
}

func TestCoAP_G7_SupernumeraryInstanceCountsAsUnknown(t *testing.T) {
	t.Parallel()
	for _, n := range []Number{Accept, Block1, Block2, URIPort} {
		if _, v, got := screen(Option{n, nil}, Option{n, nil}); v != BadCritical || got != n {
			t.Errorf("%v twice: %v", n, v)
		}
	}
	left, v, _ := screen(Option{Observe, nil}, Option{Observe, []byte{1}}, Option{ContentFormat, nil}, Option{ContentFormat, []byte{50}})
	if v != Clean || len(left) != 2 || len(left[0].Value) != 0 || len(left[1].Value) != 0 {
		t.Errorf("the first of each should be left: %v %v", left, v)
	}
	if left, v, _ := screen(Option{URIPath, nil}, Option{URIPath, nil}, Option{IfMatch, nil}, Option{IfMatch, nil}); v != Clean || len(left) != 4 {
		t.Errorf("repeatable ones: %v %v", left, v)
	}
}

func TestCoAP_G8_TextMustBeUTF8(t *testing.T) {
	t.Parallel()
	for _, n := range []Number{URIHost, URIPath, URIQuery} {
		if _, v, got := screen(Option{n, []byte{0xff}}); v != BadText || got != n {
			t.Errorf("%v: %v", n, v)
		}
		if _, v, _ := screen(Option{n, []byte("é")}); v != Clean {
			t.Errorf("%v: %v", n, v)
		}
	}
}

func TestUriHostAndUriPortAreAcceptedWithAnyValue(t *testing.T) {
	t.Parallel()
	if left, v, _ := screen(Option{URIHost, []byte("broker.example")}, Option{URIPort, []byte{0x16, 0x33}}); v != Clean || len(left) != 2 {
		t.Fatalf("%v %v", left, v)
	}
}
