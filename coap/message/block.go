package message

import "fmt"

// Block is the value of Block1 and Block2 (RFC 7959, section 2.2).
//
//	 0                   1                   2
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                  NUM                  |M| SZX |   0 to 3 octets
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Block struct {
	Num  uint32 // 0 to MaxBlockNum
	More bool
	SZX  uint8 // 0 to 7; the size is 2**(SZX+4), 7 is reserved on UDP
}

// Bounds of a block.
const (
	MaxBlockNum  = 1<<20 - 1
	MaxSZX       = 6
	MinBlockSize = 16
	MaxBlockSize = 1024
)

// ParseBlock reads an option value of at most 3 octets.
func ParseBlock(b []byte) Block { return MakeBlock(Uint(b)) }

// MakeBlock splits the number v, below 2**24.
func MakeBlock(v uint32) Block {
	return Block{Num: v >> 4 & MaxBlockNum, More: v&8 != 0, SZX: uint8(v & 7)}
}

// Value returns the number that stands on the wire.
func (b Block) Value() uint32 {
	v := b.Num<<4 | uint32(b.SZX&7)
	if b.More {
		v |= 8
	}
	return v
}

// Size returns the octets of a full block, 16 to 1024 (2048 for the reserved 7).
func (b Block) Size() int { return 1 << (b.SZX + 4) }

// Offset returns where the block begins in the body, in octets.
func (b Block) Offset() int { return int(b.Num) << (b.SZX + 4) }

// SZXFor returns the largest SZX whose size is not above size, and 0 for any
// size below 32.
func SZXFor(size int) uint8 {
	var x uint8
	for x < MaxSZX && 1<<(x+5) <= size {
		x++
	}
	return x
}

// String prints NUM/M/size as RFC 7959 does in its figures.
func (b Block) String() string {
	more := 0
	if b.More {
		more = 1
	}
	return fmt.Sprintf("%d/%d/%d", b.Num, more, b.Size())
}
