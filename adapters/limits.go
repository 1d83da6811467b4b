package adapters

import (
	"net/netip"
	"slices"
	"time"
)

// Limits are the bounds that every room shares (section `limits` of the
// configuration). The zero value of a field is its default.
type Limits struct {
	PreauthDeadline time.Duration // from accept to complete credentials; default 5 s
	PreauthExchange time.Duration // from there to the end of the login; default 5 s
	PreauthBytes    int           // allowance before authentication; default 64 KiB
	MessageBytes    int           // largest payload; default 16 MiB
	ClientIDBytes   int           // default 1024
	UsernameBytes   int           // default 1024
	PasswordBytes   int           // default 8192
	Properties      int           // user properties, headers a message; default 256
	PropertyBytes   int           // their sum; default 64 KiB

	PreauthConnections int           // unauthenticated connections of the process; default 1024
	PreauthPerAddress  int           // of them from one address; default 64
	Connections        int           // connections of the process, or of a listener; default 100,000, those with descriptors at most as many as these less 512
	AcceptRate         int           // connections a second of one listener, burst twice that; default 20,000
	AcceptRateAddress  int           // of one address; default 1000
	WriteBuffer        int           // bytes that wait for a peer before its input stops; default 1 MiB
	WriteStall         time.Duration // a peer that reads nothing for so long is ended; default 30 s
	PublishRate        int           // publishes a second of one connection, then its reading pauses, or a datagram peer is refused; default 0, unlimited
	PublishBytesRate   int           // bytes a second of input that holds publishes; default 0, unlimited
	UDPPeers           int           // peers of one datagram room; default 100,000
	UDPPeersPerAddress int           // of them at one address; default 1000

	// Trusted addresses are exempt from the rates of an address and from the
	// places before a login, not from UDPPeersPerAddress; nil: loopback, empty:
	// nobody.
	Trusted []netip.Prefix
}

// Exempt reports whether a is trusted. The zero
// address is that of a Unix socket, and exempt.
func (l *Limits) Exempt(a netip.Addr) bool {
	if !a.IsValid() {
		return true
	}
	a = a.Unmap()
	if l.Trusted == nil {
		return a.IsLoopback()
	}
	return slices.ContainsFunc(l.Trusted, func(p netip.Prefix) bool { return p.Contains(a) })
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
	if l.PreauthExchange == 0 {
		l.PreauthExchange = 5 * time.Second
	}
	if l.WriteStall == 0 {
		l.WriteStall = 30 * time.Second
	}
	def(&l.PreauthBytes, 64<<10)
	def(&l.MessageBytes, 16<<20)
	def(&l.ClientIDBytes, 1024)
	def(&l.UsernameBytes, 1024)
	def(&l.PasswordBytes, 8192)
	def(&l.Properties, 256)
	def(&l.PropertyBytes, 64<<10)
	def(&l.PreauthConnections, 1024)
	def(&l.PreauthPerAddress, 64)
	def(&l.Connections, 100_000)
	def(&l.AcceptRate, 20_000)
	def(&l.AcceptRateAddress, 1000)
	def(&l.WriteBuffer, 1<<20)
	def(&l.UDPPeers, 100_000)
	def(&l.UDPPeersPerAddress, 1000)
	return l
}
