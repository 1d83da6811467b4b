package listen

import (
	"bytes"
	"crypto/tls"
	"reflect"
	"unsafe"
)

// shed gives back what the handshake has left in the buffers of a connection:
// crypto/tls keeps the room of the ClientHello, which is 3 KiB with today's key
// shares, as long as the connection lives, and has no call for it. It is called
// by the goroutine that reads, before the first Read. Where a version of Go has
// other fields, nothing happens, and a test tells.
func shed(tc *tls.Conn) (all bool) {
	all = true
	v := reflect.ValueOf(tc).Elem()
	for _, name := range [...]string{"rawInput", "hand"} {
		f := v.FieldByName(name)
		if !f.IsValid() || f.Type() != reflect.TypeFor[bytes.Buffer]() {
			all = false
			continue
		}
		b := (*bytes.Buffer)(unsafe.Pointer(f.UnsafeAddr()))
		*b = *bytes.NewBuffer(bytes.Clone(b.Bytes())) // what came behind the handshake stays
	}
	return all
}
