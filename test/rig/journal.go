package rig

import (
	"bytes"
	"strings"
	"sync"
	"time"
)

// Journal keeps the log.
type Journal struct {
	mu    sync.Mutex
	lines []line
}

type line struct {
	at   time.Time
	text string
}

// Write takes a line, as slog writes it.
func (j *Journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line{time.Now(), string(bytes.TrimSpace(p))})
	return len(p), nil
}

// Has tells whether a line holds all words.
func (j *Journal) Has(words ...string) bool { return j.Last(words...) != "" }

// Last is the newest line that holds all words.
func (j *Journal) Last(words ...string) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := len(j.lines) - 1; i >= 0; i-- {
		if holds(j.lines[i].text, words) {
			return j.lines[i].text
		}
	}
	return ""
}

func holds(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// Text is all of it.
func (j *Journal) Text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var b strings.Builder
	for _, l := range j.lines {
		b.WriteString(l.text + "\n")
	}
	return b.String()
}

// Longest is the length of the longest line.
func (j *Journal) Longest() (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range j.lines {
		n = max(n, len(l.text))
	}
	return n
}

// Busy tells whether so many lines were written within a second that others may have been held back (L31).
func (j *Journal) Busy() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	since, n := time.Now().Add(-time.Second), 0
	for i := len(j.lines) - 1; i >= 0 && j.lines[i].at.After(since); i-- {
		n++
	}
	return n >= 40
}
