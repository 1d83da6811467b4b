package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"

	"github.com/entrepot/entrepot/test/peers/relay"
)

// play is what this program does when it has started itself as a peer.
func play(role, listen string) error {
	switch role {
	case mochi:
		return playMochi(listen)
	case relayed:
		return relay.Serve(listen)
	case bareStore:
		return playStore(listen, 400, 64, 1)
	case loneStore:
		return playStore(listen, 400, 1) // its logs are used again, as the broker's are
	}
	return fmt.Errorf("no role is called %q", role)
}

func playMochi(listen string) error {
	o := &mqtt.Options{Capabilities: mqtt.NewDefaultServerCapabilities(), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	o.Capabilities.MaximumClientWritesPending = 1 << 17
	o.Capabilities.MaximumInflight = 65535
	s := mqtt.New(o)
	if err := s.AddHook(new(auth.AllowHook), nil); err != nil {
		return err
	}
	if err := s.AddListener(listeners.NewTCP(listeners.Config{ID: "mqtt", Address: listen})); err != nil {
		return err
	}
	if err := s.Serve(); err != nil {
		return err
	}
	select {}
}

// Roles of the bare store: with all numbers of writers, and with one after many.
const (
	bareStore = "store"
	loneStore = "store-lone"
)

// stored is what the bare store did: synced writes a second by the number of writers.
type stored map[int]float64

// playStore writes records of the size of a stored message in as many goroutines, each waiting for its sync.
func playStore(dir string, writers ...int) error {
	db, err := pebble.Open(dir, &pebble.Options{Logger: quiet{}})
	if err != nil {
		return err
	}
	defer db.Close()
	out := stored{}
	for _, writers := range writers {
		var n atomic.Uint64
		var failed atomic.Pointer[error]
		var wg sync.WaitGroup
		began := time.Now()
		const lasts = 3 * time.Second
		for w := range writers {
			wg.Go(func() {
				value := make([]byte, 140)
				_, _ = rand.Read(value) // never fails
				for i := 0; time.Since(began) < lasts; i++ {
					if err := db.Set(fmt.Appendf(nil, "%d/%04d/%010d", writers, w, i), value, pebble.Sync); err != nil {
						failed.Store(&err)
						return
					}
					n.Add(1)
				}
			})
		}
		wg.Wait()
		if err := failed.Load(); err != nil {
			return *err
		}
		out[writers] = float64(n.Load()) / time.Since(began).Seconds()
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(f string, a ...any) {
	fmt.Fprintf(os.Stderr, f+"\n", a...)
	os.Exit(1)
}
