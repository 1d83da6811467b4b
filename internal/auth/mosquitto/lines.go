package mosquitto

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// A Problem is a line that could not be carried over, or only with a difference.
type Problem struct {
	Line    int
	Message string
	Warning bool // it was carried over
}

// maxLine bounds a line, in bytes.
const maxLine = 64 << 10

// lines calls fn for each line that says something.
func lines(r io.Reader, fn func(n int, line string)) error {
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	for n := 1; s.Scan(); n++ {
		line := strings.TrimRight(s.Text(), "\r\n\t ")
		if line == "" || line[0] == '#' {
			continue
		}
		fn(n, line)
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("a line of more than %d bytes, or: %w", maxLine, err)
	}
	return nil
}
