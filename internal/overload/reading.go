package overload

import "time"

// Unknown is a value that cannot be measured, or is not bounded.
const Unknown = -1

// A Reading is one look at the resources.
type Reading struct {
	Memory      int64 // bytes of the Go runtime
	MemoryLimit int64 // GOMEMLIMIT; Unknown: none is set, and memory has no level
	DiskFree    int64 // bytes; Unknown: nothing is stored on disk
	DiskTotal   int64
	Delay       time.Duration // of the run queue: how late a ticker of 100 ms came
	Descriptors int           // open; Unknown
	MaxOpen     int           // RLIMIT_NOFILE
}

// A Meter reads the resources.
type Meter interface {
	Read() Reading
}
