// The program m2mguard looks at a configuration of the library from outside: why a token
// is refused (explain), whether what the API needs is there (doctor), what a client gets
// and what the API says to it (token), what is revoked for all instances (revoke,
// revocations), and what a file may say (schema). docs/program.md
// tells more.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command.Run(ctx, os.Args[1:], command.Surroundings{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv})
	stop()
	os.Exit(code)
}
