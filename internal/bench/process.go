package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// A sample is what a process has used so far.
type sample struct {
	name     string
	cpu      time.Duration
	resident uint64
	ok       bool
}

// usage reads the processes and this one from /proc, so on Linux alone; elsewhere the samples are not ok.
func usage(pids []int) map[int]sample {
	all := map[int]sample{}
	for _, pid := range append([]int{os.Getpid()}, pids...) {
		all[pid] = read(pid)
	}
	return all
}

// ticks a second of the CPU times in /proc: USER_HZ is 100 on every Linux.
const ticks = 100

func read(pid int) sample {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return sample{}
	}
	// The name is in parentheses and may hold anything, parentheses too.
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return sample{}
	}
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) < 22 {
		return sample{}
	}
	number := func(i int) uint64 {
		n, err := strconv.ParseUint(fields[i], 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	return sample{
		name:     string(stat[open+1 : end]),
		cpu:      time.Duration(number(11)+number(12)) * time.Second / ticks, // utime, stime
		resident: number(21) * uint64(os.Getpagesize()),
		ok:       true,
	}
}
