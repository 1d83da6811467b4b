package exchange

import (
	"errors"
	"strings"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
)

// Recorder keeps a record of something durable, or forgets it when value is
// nil. It is called under the space's lock.
type Recorder func(key string, value []byte)

func (r Recorder) keep(key string, value []byte) {
	if r != nil {
		r(key, value)
	}
}

// The records of a space. Names are shortstr.
//
//	x name                           flags:octet type alternate arguments
//	b exchange queue key arguments   flags:octet
const (
	recordExchange = "x"
	recordBinding  = "b"
)

const (
	flagDurable = 1 << iota
	flagAutoDelete
	flagInternal
)

func (s *Spec) record() (key string, value []byte) {
	flags := byte(0)
	for bit, set := range map[byte]bool{flagDurable: s.Durable, flagAutoDelete: s.AutoDelete, flagInternal: s.Internal} {
		if set {
			flags |= bit
		}
	}
	return recordExchange + s.Name, append(Place([]byte{flags}, s.Type, s.Alternate), s.Args...)
}

func (b *Binding) record() string {
	k := Place([]byte(recordBinding), b.Exchange, b.Queue)
	k = append(append(k, byte(len(b.Key))), b.Key...)
	return string(append(k, b.Args...))
}

var errRecord = errors.New("amqp: a record of an exchange that cannot be read")

// IsBinding tells a binding's record from an exchange's: those come first.
func IsBinding(key string) bool { return strings.HasPrefix(key, recordBinding) }

// Restore reads one record back.
func (s *Space) Restore(key string, value []byte) error {
	if name, ok := strings.CutPrefix(key, recordExchange); ok {
		return s.restoreExchange(name, value)
	}
	rest, ok := strings.CutPrefix(key, recordBinding)
	var b Binding
	for _, field := range []*string{&b.Exchange, &b.Queue, &b.Key} {
		if !ok || len(rest) == 0 || len(rest) < 1+int(rest[0]) {
			return errRecord
		}
		n := 1 + int(rest[0])
		*field, rest = rest[1:n], rest[n:]
	}
	b.Args = wire.Table(rest)
	s.Bind(b, true, nil) // an exchange that is gone takes its bindings along
	return nil
}

func (s *Space) restoreExchange(name string, value []byte) error {
	var e Envelope
	if len(value) == 0 || !e.Parse(append(value[1:len(value):len(value)], 0, 0)) {
		return errRecord
	}
	flags := value[0]
	typ, alternate := e.Names()
	s.Declare(Spec{
		Name: name, Type: typ, Alternate: alternate, Args: string(e.Properties[:len(e.Properties)-2]),
		Durable: flags&flagDurable != 0, AutoDelete: flags&flagAutoDelete != 0, Internal: flags&flagInternal != 0,
	}, nil)
	return nil
}
