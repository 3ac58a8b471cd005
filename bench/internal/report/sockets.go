package report

import (
	"fmt"
	"strings"

	"github.com/m2mguard/m2mguard/bench/internal/measure"
	"github.com/m2mguard/m2mguard/bench/internal/size"
	"github.com/m2mguard/m2mguard/bench/internal/socket"
	"github.com/m2mguard/m2mguard/bench/internal/suite"
)

// unguardedOf is the name of the server that another one is compared with: that of its
// framework, with nothing before the handler.
func unguardedOf(name string) string {
	if strings.HasPrefix(name, "Echo") {
		return suite.Unguarded("Echo")
	}
	return suite.Unguarded("net/http")
}

func sockets(b *strings.Builder, r *suite.Results) {
	fmt.Fprintf(b, "## Requests a second\n\n"+
		"Through a real socket: net/http's server on loopback, HTTP/1.1 with keep-alive, one route, a small answer. %d connections ask again as soon as "+
		"they were answered, each checks that it got 200 and the whole body. Server and client share all cores, so nobody's figure is what a server alone would reach; what "+
		"counts is the ratio to the same handler unguarded. One RS256 token, then %d of them in turn; they were seen before the first batch counts. In brackets the slowest and the fastest batch.\n\n"+
		"![Requests a second through a real socket, by who guards the handler](requests.svg)\n\n", socket.Connections, suite.TokensInTurn)
	var rows [][]string
	for i, one := range r.Sockets.One {
		many, plain := r.Sockets.Many[i], unguardedOf(one.Name)
		rows = append(rows, []string{
			one.Name, perSecond(one), ratio(one, r.Sockets.One.Get(plain)), perSecond(many), ratio(many, r.Sockets.Many.Get(plain)),
		})
	}
	table(b, []string{"", "one token, requests/s", "of unguarded", fmt.Sprintf("%d tokens, requests/s", suite.TokensInTurn), "of unguarded"}, rows)
	b.WriteString("A ratio above 1 says how much of a difference is the machine's unrest. Libraries that have no middleware of their own stand behind one of a few lines " +
		"that finds the token and refuses.\n\n")
}

// perSecond writes a rate with how far batches lay apart.
func perSecond(r measure.Result) string {
	median, lowest, highest := r.PerSecond()
	return fmt.Sprintf("%s (%s – %s)", hundreds(median), hundreds(lowest), hundreds(highest))
}

// hundreds writes a rate with the three digits that it has.
func hundreds(n float64) string {
	step := 1
	for n/float64(step) >= 999.5 {
		step *= 10
	}
	return thousands(int(n/float64(step)+0.5) * step)
}

func ratio(r, to measure.Result) string { return fmt.Sprintf("%.2f", to.Time/r.Time) }

func sizes(b *strings.Builder, r *suite.Results) {
	b.WriteString("## The size of a program\n\n" +
		"A service with one guarded route on net/http and nothing else (the programs are in `bench/internal/size`), as `go build` makes it, and without what a debugger needs. " +
		"Modules and packages are those that are linked.\n\n")
	plain := r.Sizes[0]
	var rows [][]string
	for _, p := range r.Sizes {
		rows = append(rows, []string{
			p.Name, mega(p.Plain), mega(p.Stripped), mega(p.Stripped - plain.Stripped), fmt.Sprint(p.Modules), fmt.Sprint(p.Packages),
		})
	}
	table(b, []string{"", "go build", "-ldflags='-s -w'", "above unguarded", "modules", "packages"}, rows)
	ours := r.Sizes[1]
	var whose []string
	rest := ours.Stripped - plain.Stripped + plain.Parts[0].Bytes
	for _, part := range ours.Parts {
		name, bytes := part.Module, part.Bytes
		rest -= bytes
		if name == size.Standard {
			name, bytes = "more of "+name, bytes-plain.Parts[0].Bytes
		}
		if bytes >= smallest {
			whose = append(whose, fmt.Sprintf("%d kB %s", bytes/1000, name))
		}
	}
	fmt.Fprintf(b, "What makes the difference, in machine code: %s. The other %s are the tables of functions and types that go with it.\n\n", strings.Join(whose, ", "), mega(rest))
}

// smallest is how many bytes of a module are worth a word.
const smallest = 10_000

func mega(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
