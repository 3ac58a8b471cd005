//go:build interop

// Package interop_test runs the library against real authorization servers,
// panva's oidc-provider, Keycloak and Spring Authorization Server, with tokens that
// real clients got from them.
package interop_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gin-gonic/gin"
	"go.uber.org/goleak"
)

// tally counts what was looked at on one server. A whole run that looked at less
// than least has a test that has stopped testing.
type tally struct {
	server string
	least  int64
	atomic.Int64
}

var (
	onProvider = &tally{server: "oidc-provider", least: 5000}
	onKeycloak = &tally{server: "Keycloak", least: 850}
	onSpring   = &tally{server: "Spring Authorization Server", least: 100}
)

// tallyOf is where a test counts: its name says which server it is about.
func tallyOf(t *testing.T) *tally {
	switch {
	case strings.HasPrefix(t.Name(), "TestKeycloak"):
		return onKeycloak
	case strings.HasPrefix(t.Name(), "TestSpring"):
		return onSpring
	}
	return onProvider
}

// shared is the oidc-provider of every test that does not disturb it.
var shared *server

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if shared, err = startServer(options{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if startedKeycloak != nil {
		if err := startedKeycloak.remove(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if startedSpring != nil {
		if err := startedSpring.stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	browser.CloseIdleConnections()
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	whole := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" &&
		flag.Lookup("test.list").Value.String() == ""
	for _, on := range []*tally{onProvider, onKeycloak, onSpring} {
		fmt.Printf("interop: %d assertions against %s\n", on.Load(), on.server)
		if whole && code == 0 && on.Load() < on.least {
			fmt.Fprintf(os.Stderr, "interop: wanted at least %d assertions against %s\n", on.least, on.server)
			code = 1
		}
	}
	return code
}
