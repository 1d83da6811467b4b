// Package unreadable says in plain words why a file cannot be read or written.
package unreadable

import (
	"errors"
	"io/fs"
	"os"
)

// Why is the reason without the file's name and without Go's own words.
func Why(err error) string {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file"
	case errors.Is(err, fs.ErrPermission):
		return "permission denied"
	case errors.As(err, &path):
		return path.Err.Error()
	case errors.As(err, &link):
		return link.Err.Error()
	}
	return err.Error()
}
