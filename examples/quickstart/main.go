// Quickstart shows m2mguard at work on one machine, with nothing to set up.
//
//	go run ./examples/quickstart
//
// starts a fake authorization server and three APIs that trust it, on net/http,
// Echo and Gin. A client gets real tokens through the client credentials flow,
// JWTs and opaque ones, and tries each API with good tokens and bad ones; then
// keys are rotated, a token is revoked, one that is bound to its client is stolen,
// and the authorization server goes down.
// The exit code is 0 if everything went as expected, and 1 otherwise.
//
//	go run ./examples/quickstart -serve
//
// keeps the servers up until it is interrupted, prints curl lines to try by hand,
// and logs what an operator would read. The authorization server is then at
// 127.0.0.1:8400, the APIs at 8401 (net/http), 8402 (Echo) and 8403 (Gin).
//
// Where to read on: apis.go is what an API's author writes. checks.go holds the
// requests and what each should be answered, drills.go the drills, and demo.go
// what it takes to run all of it in one process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// timeLimit bounds a run without -serve. It takes about two seconds.
const timeLimit = 15 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main with its surroundings passed in; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(stderr)
	stay := flags.Bool("serve", false, "keep the servers up on ports 8400 to 8403 and print curl lines")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}

	// The table says what clients are told. With -serve somebody may look for
	// the reason behind it, and that is in the log.
	where, log := anyPorts, slog.New(slog.DiscardHandler)
	if *stay {
		where = fixedPorts
		log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	d, err := start(where, log)
	if err != nil {
		fmt.Fprintln(stderr, "quickstart:", err)
		return 1
	}
	defer d.close()

	if *stay {
		serve(ctx, d, stdout)
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	if surprises := show(ctx, d, stdout); surprises > 0 {
		return 1
	}
	return 0
}

// show prints the table and the drills, and returns how often something else
// happened than was expected.
func show(ctx context.Context, d *demo, w io.Writer) (surprises int) {
	introduce(w, d)

	rows := runChecks(ctx, d)
	surprises += printTable(w, rows)

	surprises += runDrills(ctx, d, w)

	if surprises > 0 {
		fmt.Fprintf(w, "\n%d of %d requests and drills were answered otherwise than expected.\n", surprises, len(rows)+len(drills))
		return surprises
	}
	fmt.Fprintf(w, "\nAll %d requests and %d drills went as expected. To try it by hand, add -serve.\n", len(rows), len(drills))
	return 0
}

// introduce says who is there.
func introduce(w io.Writer, d *demo) {
	fmt.Fprintf(w, "%-9s %s  (fake: issues, introspects and revokes tokens)\n", "issuer", d.issuer.URL())
	for _, a := range d.apis {
		fmt.Fprintf(w, "%-9s %s  GET /orders needs orders:read, POST orders:write, DELETE orders:read and asks the issuer each time\n", a.name, a.url)
	}
}
