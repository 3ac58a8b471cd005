//go:build interop

// Package interop_test runs the library against a real authorization server,
// panva's oidc-provider, with tokens that real clients got from it.
package interop_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/gin-gonic/gin"
	"go.uber.org/goleak"
)

// leastAssertions is what a whole run must have looked at: fewer mean that a
// test has stopped testing.
const leastAssertions = 40

// shared is the server of every test that does not disturb it.
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
	browser.CloseIdleConnections()
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	n := assertions.Load()
	fmt.Printf("interop: %d assertions against oidc-provider\n", n)
	whole := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" &&
		flag.Lookup("test.list").Value.String() == ""
	if whole && code == 0 && n < leastAssertions {
		fmt.Fprintf(os.Stderr, "interop: wanted at least %d assertions\n", leastAssertions)
		return 1
	}
	return code
}
