package coap

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
)

// Echo values (RFC 9175, section 2): nothing is stored, so that a flood of
// forged addresses leaves no state. A value holds for the minute it was made in
// and the four before.
const (
	echoLen     = 8
	echoMinutes = 5
	proofHolds  = 4 * time.Hour
)

// echoKey makes and checks Echo values. The key is random for each process, so
// a restart makes clients echo once more.
type echoKey struct{ key [32]byte }

func newEchoKey() *echoKey {
	k := new(echoKey)
	rand.Read(k.key[:]) // never fails since Go 1.24
	return k
}

func (k *echoKey) make(a netip.AddrPort, minute int64) []byte {
	h := hmac.New(sha256.New, k.key[:])
	ip := a.Addr().As16()
	h.Write(ip[:])
	var rest [10]byte
	binary.BigEndian.PutUint16(rest[:], a.Port())
	binary.BigEndian.PutUint64(rest[2:], uint64(minute))
	h.Write(rest[:])
	return h.Sum(nil)[:echoLen]
}

// challenge returns the value that a may echo from now on.
func (k *echoKey) challenge(a netip.AddrPort, now core.Time) []byte {
	return k.make(a, minuteOf(now))
}

// proves reports whether value was given to a within the last five minutes.
func (k *echoKey) proves(a netip.AddrPort, value []byte, now core.Time) bool {
	if len(value) != echoLen {
		return false
	}
	for i := range int64(echoMinutes) {
		if subtle.ConstantTimeCompare(value, k.make(a, minuteOf(now)-i)) == 1 {
			return true
		}
	}
	return false
}

func minuteOf(now core.Time) int64 { return int64(now) / time.Minute.Milliseconds() }

// proofOf is what an address has to show before it gets large answers, by
// address_proof.
func proofOf(setting string, a netip.Addr) (proof limit.Amplification) {
	switch setting {
	case "off":
		proof.Prove()
	case "public":
		proof = limit.NewAmplification(a)
	}
	return proof
}
