package main

import (
	"testing"

	"github.com/m2mguard/m2mguard/internal/trials/exampletest"
)

// What all examples share is tested by a package of this repository: leave this file
// behind when you copy the others.
func TestBounds(t *testing.T) {
	exampletest.API{Routes: routes, NewServer: newServer, Serve: serve}.TestBounds(t)
}
