//go:build tools

// Package tools pins grpc-go's own benchmark programs; see test/peers/go/README.md.
package tools

import (
	_ "google.golang.org/grpc/benchmark/client"
	_ "google.golang.org/grpc/benchmark/server"
)
