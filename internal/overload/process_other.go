//go:build !linux

package overload

func diskOf(string) (free, total int64) { return Unknown, 0 }

func descriptors() (open, most int) { return Unknown, 0 }
