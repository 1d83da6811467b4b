//go:build !unix

package main

import (
	"context"

	"github.com/entrepot/entrepot/internal/gateway"
)

// heard is nothing where there are no such signals.
type heard struct{}

func listenForSignals() heard { return heard{} }

func (heard) obey(context.Context, *gateway.Gateway) {}
