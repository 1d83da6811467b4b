package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// gcPercent keeps the collector from running all the time over a heap of a few megabytes, which costs a fifth of the CPU.
const gcPercent = 400

// tune sets what the runtime cannot know. The number of descriptors needs nothing: Go raises it to the hard limit. OPERATIONS C7
func tune() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		if limit := cgroupLimit("/proc/self/cgroup", "/sys/fs/cgroup"); limit > 0 {
			debug.SetMemoryLimit(limit / 10 * 9)
		}
	}
	if os.Getenv("GOMAXPROCS") == "" {
		// A loop that waits raw holds its processor; one more lets everything else run.
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}

// cgroupLimit is the memory that the process's group may use, in bytes; 0 for no limit.
func cgroupLimit(self, root string) int64 {
	text, err := os.ReadFile(self)
	if err != nil {
		return 0
	}
	limit := int64(0)
	for _, line := range strings.Split(string(text), "\n") {
		path, ok := strings.CutPrefix(line, "0::") // version 2
		if !ok {
			continue
		}
		// A limit further up holds as well.
		for path = strings.TrimSuffix(path, "/"); ; path = path[:strings.LastIndexByte(path, '/')] {
			if n := readLimit(root + path + "/memory.max"); n > 0 && (limit == 0 || n < limit) {
				limit = n
			}
			if !strings.Contains(path, "/") {
				break
			}
		}
	}
	if limit == 0 {
		limit = readLimit(root + "/memory/memory.limit_in_bytes") // version 1
	}
	return limit
}

func readLimit(path string) int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/2 { // "max", and version 1's huge number, are no limit
		return 0
	}
	return n
}
