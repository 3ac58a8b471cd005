// Package quickstart is what the programs of the quickstart share: an API, its
// issuer, and what they go through. It links no framework but net/http; others are
// passed in.
package quickstart

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// timeLimit bounds a run without -serve, which takes about three seconds on a machine
// that has nothing else to do.
const timeLimit = 2 * time.Minute

// Main is the main function of a quickstart with these frameworks. It ends the
// process.
func Main(frameworks ...Framework) {
	os.Exit(untilSignalled(func(ctx context.Context) int {
		return Run(ctx, os.Args[1:], os.Stdout, os.Stderr, frameworks...)
	}))
}

// untilSignalled calls f with a context that ends when the process is to end.
func untilSignalled(f func(context.Context) int) (code int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // so that a second signal ends what the first one could not
	return f(ctx)
}

// Run is Main with its surroundings passed in; standard output may be a Screen. It
// returns the exit code: 0 if all went as expected, 1 if not, and 2 for wrong arguments.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer, frameworks ...Framework) int {
	return run(ctx, args, stdout, stderr, true, frameworks)
}

// run is Run, with -serve on its ports or on free ones.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, fixed bool, frameworks []Framework) int {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(stderr)
	stay := flags.Bool("serve", false, "keep the servers up on ports 8400 to 8404, and print lines to paste")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0: // serve, say, whose hyphen was forgotten
		fmt.Fprintf(stderr, "quickstart: there is no argument %q, wanted -serve or nothing\n", flags.Arg(0))
		return 2
	}

	// The table says what clients are told. With -serve somebody may look for
	// the reason behind it, and that is in the log.
	log := slog.New(slog.DiscardHandler)
	if *stay {
		log = slog.New(slog.NewTextHandler(stderr, nil)) // at Info, as an API would
	}
	d, err := start(*stay && fixed, log, frameworks)
	if err != nil {
		complain(stderr, err, *stay)
		return 1
	}
	defer d.close()

	s := screenOn(stdout, os.Getenv)
	if *stay {
		if err := serve(ctx, d, loopback(fixed, operatorPort), s); err != nil {
			complain(stderr, err, *stay)
			return 1
		}
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	if surprises := show(ctx, d, s); surprises > 0 {
		return 1
	}
	return 0
}

// complain says why nothing was started, and what to do where a port is taken.
func complain(stderr io.Writer, err error, fixed bool) {
	fmt.Fprintln(stderr, "quickstart:", err)
	if at, ok := errors.AsType[*net.OpError](err); ok && at.Op == "listen" && fixed {
		fmt.Fprintf(stderr, "-serve needs the ports %d to %d: end what listens there, perhaps another quickstart.\nWithout -serve it takes ports that are free.\n",
			issuerPort, operatorPort)
	}
}

// show prints the table, the drills and the lines that did it, and returns how often
// something else happened than was expected.
func show(ctx context.Context, d *demo, s Screen) (surprises int) {
	introduce(s, d)

	rows := runChecks(ctx, d)
	surprises += printTable(s, rows)

	surprises += runDrills(ctx, d, s)

	requests := len(rows) * len(d.apis)
	if surprises > 0 {
		s.printf("\n%s\n", s.paint(red, fmt.Sprintf("%d of %d requests and drills were answered otherwise than expected.",
			surprises, requests+len(drills))))
		return surprises
	}
	printSixLines(s)
	s.printf("\n%s\n", s.paint(green, fmt.Sprintf("All %d requests and %d drills went as expected.", requests, len(drills))))
	pointOn(s, d)
	return 0
}

// introduce says who is there.
func introduce(s Screen, d *demo) {
	s.printf("%-9s %s  a fake: issues, introspects, revokes tokens\n", "issuer", d.issuer.URL())
	for _, a := range d.apis {
		s.printf("%-9s %s  an API that trusts this issuer\n", a.name, a.url)
	}
	s.printf("GET /orders needs orders:read, POST orders:write, DELETE asks the issuer anew.\n")
}

// sixLines are those of api.go that every API needs.
const sixLines = `issuer := validator.Issuer{URL: trusted, Audience: []string{audience}}
config := validator.Config{Issuers: []validator.Issuer{issuer}}
v, err := validator.New(config)
auth := httpauth.New(v, cfg)
mux.Handle("GET /orders", auth.Require(scopes.All("orders:read"))(orders))
mux.Handle("POST /orders", auth.Require(scopes.All("orders:write"))(orders))
`

// besides says what api.go has beside them.
const besides = `Opaque tokens, bound tokens and blocked clients take one setting more each, in
the same file: Introspection, with Keys for JWTs beside them; DPoP, with the
API's own URL in cfg; and Revocations, the list of who is blocked. Here that
is filled within one process; a fleet shares it through Redis (docs/fleet.md).`

// pointOn says where to go from here.
func pointOn(s Screen, d *demo) {
	others := ""
	if len(d.apis) == 1 {
		others = " With Echo and Gin: go run ./examples/quickstart/all"
	}
	s.printf("\nBy hand: add -serve.%s\n", others)
	s.printf("Next: README.md, docs/recipes.md, docs/issuers/README.md, docs/fleet.md\n")
}
