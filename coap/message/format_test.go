package message

import "testing"

func TestCoAP_G13_EveryFormatNumberIsCarriedWithoutLoss(t *testing.T) {
	t.Parallel()
	for i := range 1 << 16 {
		f := Format(i)
		if got, ok := FormatOf(f.MediaType()); !ok || got != f {
			t.Fatalf("%d became %q became %d", f, f.MediaType(), got)
		}
	}
}

func TestMediaTypesAreFoundWithParametersFirst(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]Format{
		"text/plain": 0, "text/plain; charset=UTF-8": 0, "TEXT/plain;charset=\"utf-8\"": 0, "text/plain;charset=us-ascii": 0,
		"application/json": 50, "application/json; charset=utf-8": 50, "application/json;odata=full": 50,
		`application/cose; cose-type="cose-mac0"`: 17, "application/cose;cose-type=cose-sign": 98,
		"application/octet-stream": 42, "application/coap-format;n=65000": 65000, "application/coap-format; n=7": 7,
	} {
		if got, ok := FormatOf(s); !ok || got != want {
			t.Errorf("%q: %v %v, want %v", s, got, ok, want)
		}
	}
}

func TestMediaTypesWithoutNumberHaveNone(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "image/png", "application/cose", "text/plain;charset=iso-8859-1", "application/json;charset=utf-16",
		"application/coap-format;n=65536", "application/coap-format;n=x", ";;;"} {
		if f, ok := FormatOf(s); ok {
			t.Errorf("%q: %v", s, f)
		}
	}
}
