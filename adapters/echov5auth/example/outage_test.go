package main

import (
	"testing"

	"github.com/m2mguard/m2mguard/internal/trials/exampletest"
)

func TestBounds(t *testing.T) {
	exampletest.API{Routes: routes, NewServer: newServer, Serve: serve}.TestBounds(t)
}
