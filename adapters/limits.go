package adapters

import "time"

// Limits are the bounds that every room shares (section `limits` of the
// configuration). The zero value of a field is its default.
type Limits struct {
	PreauthDeadline time.Duration // from accept to complete credentials; default 5 s
	PreauthBytes    int           // allowance before authentication; default 64 KiB
	MessageBytes    int           // largest payload; default 16 MiB
	ClientIDBytes   int           // default 1024
	UsernameBytes   int           // default 1024
	PasswordBytes   int           // default 8192
	Properties      int           // user properties, headers a message; default 256
	PropertyBytes   int           // their sum; default 64 KiB
}

// WithDefaults fills the zero fields.
func (l Limits) WithDefaults() Limits {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	if l.PreauthDeadline == 0 {
		l.PreauthDeadline = 5 * time.Second
	}
	def(&l.PreauthBytes, 64<<10)
	def(&l.MessageBytes, 16<<20)
	def(&l.ClientIDBytes, 1024)
	def(&l.UsernameBytes, 1024)
	def(&l.PasswordBytes, 8192)
	def(&l.Properties, 256)
	def(&l.PropertyBytes, 64<<10)
	return l
}
