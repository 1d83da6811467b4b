//go:build !unix

package gateway

import (
	"errors"
	"os"

	"github.com/entrepot/entrepot/internal/config"
)

type runner struct{}

func lookup(string) (*runner, error) {
	return nil, errors.New("this system does not tell what a user may read")
}

func (*runner) mayRead(string) string { return "" }

func (*runner) barred(config.Address) bool { return false }

func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".entrepot-check")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func (*runner) mayWrite(string) string { return "" }

func diskSpace(string) (free, total int64, ok bool) { return 0, 0, false }

func descriptors() (uint64, bool) { return 0, false }

func ourProcess(int) bool { return false }
