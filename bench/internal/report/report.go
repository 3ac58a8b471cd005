// Package report writes what a run found as Markdown.
package report

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/klauspost/cpuid/v2"

	"github.com/m2mguard/m2mguard/bench/internal/reuse"
	"github.com/m2mguard/m2mguard/bench/internal/suite"
)

// Run says how a run was made.
type Run struct {
	Command string
	Count   int
	Batch   time.Duration
	Quick   bool // on a small scale
}

// Markdown returns the whole report.
func Markdown(r *suite.Results, run Run) string {
	var body, b strings.Builder
	for _, section := range []func(*strings.Builder, *suite.Results){
		sockets, acceptance, jwts, rejected, dear, bound, opaque, requests, calls, reused, issuers, revoked, sizes, setups,
	} {
		section(&body, r)
	}
	b.WriteString("# What verifying a token costs\n\n")
	environment(&b, r, run)
	contents(&b, body.String())
	b.WriteString(body.String())
	return b.String()
}

// contents lists the sections, each with a link to its heading.
func contents(b *strings.Builder, body string) {
	for line := range strings.Lines(body) {
		if title, ok := strings.CutPrefix(strings.TrimSpace(line), "## "); ok {
			fmt.Fprintf(b, "- [%s](#%s)\n", title, strings.ReplaceAll(strings.ToLower(title), " ", "-")) // a heading has letters and spaces alone
		}
	}
	b.WriteByte('\n')
}

// processor names the model as exactly as it can be told: virtual machines often hide
// the name that it was sold by.
func processor() string {
	c := cpuid.CPU
	name := c.BrandName
	if name == "" {
		name = runtime.GOARCH
	}
	if c.Family == 0 {
		return name
	}
	return fmt.Sprintf("%s (family %d, model %d, stepping %d)", name, c.Family, c.Model, c.Stepping)
}

func environment(b *strings.Builder, r *suite.Results, run Run) {
	fmt.Fprintf(b, "Made by `%s` in %v, with %s on %s, %d processors, %s/%s.\n\n",
		run.Command, r.Elapsed.Round(time.Second), runtime.Version(), processor(), runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH)
	if run.Quick {
		b.WriteString("**This run was on a small scale, to see that everything works. Its figures and verdicts count for nothing.**\n\n")
	}
	fmt.Fprintf(b, "All parties of a table took turns within one run, %d batches of about %v each; the figures are medians. "+
		"\"All cores\" is wall time per operation with one goroutine for each processor. "+
		"Everybody answers the same question: is this token, by signature, algorithm, issuer, audience and time, good for one scope? "+
		"The token is an RS256 one of %d bytes and 12 claims unless something else is said. "+
		"The primitive is the standard library's verification alone, with hashing the signing input and decoding the signature, which nobody can avoid.\n\n",
		run.Count, run.Batch, r.Verify[0].TokenBytes)
}

func acceptance(b *strings.Builder, r *suite.Results) {
	lines := Acceptance(r)
	kept, all := make(map[Holds]int), make(map[Holds]int)
	var rows [][]string
	for _, l := range lines {
		verdict := "**missed**"
		all[l.Holds]++
		if l.OK {
			verdict = "kept"
			kept[l.Holds]++
		}
		rows = append(rows, []string{l.What, l.Bound, l.Measured, string(l.Holds), verdict})
	}
	fmt.Fprintf(b, "## What is promised\n\n%d of %d kept in this run: %d of %d that hold anywhere, and %d of %d of this processor, %s. "+
		"The first compare Go code with Go code, peers' or our own, or count. The others compare it with a bare primitive, or are times: "+
		"a processor that gains more on the primitive's assembly than on Go code makes such a ratio larger, so they are stated for this one alone.\n\n",
		kept[Anywhere]+kept[OnProcessor], len(lines), kept[Anywhere], all[Anywhere], kept[OnProcessor], all[OnProcessor], processor())
	table(b, []string{"what", "bound", "measured", "holds", ""}, rows)
}

// pairRows are the rows of a group, with a ratio to one of its subjects.
func pairRows(p suite.Pair, to string) [][]string {
	var rows [][]string
	for i, one := range p.One {
		all := p.All[i]
		rows = append(rows, []string{
			one.Name,
			duration(one.Time),
			fmt.Sprintf("%.3f", one.Time/p.One.Get(to).Time),
			fmt.Sprint(one.Allocs), fmt.Sprint(one.Bytes),
			duration(all.Time),
		})
	}
	return rows
}

func jwts(b *strings.Builder, r *suite.Results) {
	b.WriteString("## A good JWT\n\nPeers keep nothing of a token, so the first and the thousandth cost them the same.\n\n")
	for _, v := range r.Verify {
		fmt.Fprintf(b, "### %s, %d bytes\n\n", v.Algorithm, v.TokenBytes)
		table(b, []string{"", "one goroutine", "of the primitive", "allocations", "bytes", "all cores"}, pairRows(v.Pair, suite.Bare))
	}
}

func rejected(b *strings.Builder, r *suite.Results) {
	b.WriteString("## A JWT that can be refused without looking at its signature\n\n" +
		"Time on one goroutine. A party that takes as long as a verification made one; one that takes longer still asked the issuer for new keys.\n\n")
	header := []string{""}
	for _, kind := range r.Rejected {
		header = append(header, kind.Kind)
	}
	var rows [][]string
	for i, first := range r.Rejected[0].One {
		if first.Name == suite.Bare {
			continue
		}
		row := []string{first.Name}
		for _, kind := range r.Rejected {
			row = append(row, duration(kind.One[i].Time))
		}
		rows = append(rows, row)
	}
	table(b, header, rows)
}

func dear(b *strings.Builder, r *suite.Results) {
	b.WriteString("## A forged token that is made to cost much\n\n" +
		"16 KiB of the dearest pieces that a token may hold, with a signature that is verified in vain. Time on one goroutine, and what of it is not the " +
		"signature, in RS256 primitives.\n\n")
	header := []string{""}
	for _, d := range r.Dear {
		header = append(header, d.Algorithm, "beside its signature")
	}
	var rows [][]string
	for _, kind := range r.Dear[0].Kinds {
		row := []string{kind}
		for _, d := range r.Dear {
			took, signature := d.One.Get(kind).Time, d.One.Get(suite.SignatureOf(kind)).Time
			row = append(row, duration(took), fmt.Sprintf("%.2f", (took-signature)/d.One.Get(suite.Bare).Time))
		}
		rows = append(rows, row)
	}
	table(b, header, rows)
}

func bound(b *strings.Builder, r *suite.Results) {
	b.WriteString("## A token that is bound to its sender\n\n" +
		"The token was seen before; its proof is another one each time, verified and remembered. The last rows are bad proofs, made to cost much, that are refused before their signature.\n\n")
	for _, part := range r.Bound {
		fmt.Fprintf(b, "### Proofs by %s\n\n", part.Algorithm)
		table(b, []string{"", "one goroutine", "of the primitive", "allocations", "bytes", "all cores"}, pairRows(part.Pair, suite.Bare))
	}
}

func opaque(b *strings.Builder, r *suite.Results) {
	b.WriteString("## An opaque token\n\nThe issuer is in the same process, on loopback, so its time is part of what asking it costs.\n\n")
	table(b, []string{"", "one goroutine", "of the peer alone", "allocations", "bytes", "all cores"}, pairRows(r.Opaque, suite.PeerAlone))
}

func revoked(b *strings.Builder, r *suite.Results) {
	l := r.Revocations
	b.WriteString("## A list of revocations\n\nThe token was seen before, and each request asks the list.\n\n")
	table(b, []string{"", "one goroutine", "of a hit without", "allocations", "bytes", "all cores"}, pairRows(l.Pair, suite.Seen))
	fmt.Fprintf(b, "The 99th percentile of single hits, with what reading the clock costs: %v with the list left alone, %v while %s entries are loaded, "+
		"%v right after a new one.\n\n", l.Quiet, l.Loading, thousands(suite.Loaded), l.After)
	fmt.Fprintf(b, "With %s streams open, each takes %.0f bytes, its request's context included, and %v to open and end. All of a revoked client's, a hundredth, "+
		"have ended %v after the revocation.\n\n", thousands(suite.OpenStreams), l.Streams.Bytes, l.Streams.Open, l.Streams.End.Round(time.Microsecond))
}

func requests(b *strings.Builder, r *suite.Results) {
	b.WriteString("## A whole request\n\nRouter, adapter and handler in process, without a socket; the token was seen before. " +
		"What protection adds is the difference to the same handler unprotected.\n\n")
	var rows [][]string
	row := func(name, plain string) {
		one, all := r.Requests.One, r.Requests.All
		p, q := one.Get(name), one.Get(plain)
		rows = append(rows, []string{
			name, duration(p.Time), duration(q.Time), duration(p.Time - q.Time),
			fmt.Sprintf("%.2f %%", 100*(p.Time-q.Time)/one.Get(suite.Bare).Time),
			fmt.Sprint(int64(p.Allocs) - int64(q.Allocs)),
			duration(all.Get(name).Time - all.Get(plain).Time),
		})
	}
	for _, framework := range suite.Frameworks {
		row(suite.Protected(framework), framework)
	}
	row(suite.Auth0Request, "net/http")
	table(b, []string{"", "protected", "unprotected", "added", "of the primitive", "allocations added", "added, all cores"}, rows)
}

func calls(b *strings.Builder, r *suite.Results) {
	b.WriteString("## A gRPC or Connect call\n\nOver a real connection on loopback, with its client in the same process; the token was seen before. No bound is put on it: " +
		"nearly all of it is the protocol's own.\n\n")
	table(b, []string{"", "one goroutine", "of an unguarded call", "allocations", "bytes", "all cores"}, pairRows(r.Calls, suite.Calls[0]))
	table(b, []string{"", "one goroutine", "of an unguarded call", "allocations", "bytes", "all cores"}, pairRows(r.ConnectCalls, r.ConnectCalls.One[0].Name))
}

func reused(b *strings.Builder, r *suite.Results) {
	m := r.Memory
	fmt.Fprintf(b, "## Many tokens\n\nEdDSA tokens of %d bytes, drawn by Zipf's law with exponent 1, %s draws for each line; the cache has %s entries. "+
		"The first fifth of the draws is not counted. Ideal is an LRU of the same size on the same draws.\n\n",
		m.TokenBytes, thousands(r.Reuse[0].Draws), thousands(m.Entries))
	var rows [][]string
	for _, u := range r.Reuse {
		rows = append(rows, []string{
			thousands(u.Distinct), percent(u.Hits), percent(u.Ideal),
			orDash(u.Hit), orDash(u.Miss), orDash(u.Uncached), duration(u.Mean),
		})
	}
	table(b, []string{"distinct tokens", "hits", "ideal", "hit, median", "miss, median", "no cache, median", "mean of all"}, rows)
	rows = nil
	for _, m := range []struct {
		what string
		reuse.Memory
	}{{"as above", r.Memory}, {"the longest", r.LongMemory}} {
		rows = append(rows, []string{
			fmt.Sprintf("%s: %s bytes", m.what, thousands(m.TokenBytes)), thousands(m.Distinct), thousands(m.PayloadBytes),
			fmt.Sprintf("%.0f", m.PerToken()), megabytes(m.Total), megabytes(m.Bound),
		})
	}
	b.WriteString("Memory is the live heap that a validator with a full cache adds. The documented formula is entries × (payload + 700 bytes), in which the longest payload has three quarters of MaxTokenBytes.\n\n")
	table(b, []string{"tokens", "distinct", "payload", "bytes a token", "in all", "by the formula"}, rows)
}

func issuers(b *strings.Builder, r *suite.Results) {
	b.WriteString("## Many issuers\n\nTokens seen before, taken in turn.\n\n")
	table(b, []string{"", "one goroutine", "of one issuer", "allocations", "bytes", "all cores"},
		pairRows(r.Issuers, suite.IssuersSubject(1, 1)))
}

func setups(b *strings.Builder, r *suite.Results) {
	b.WriteString("## How each party was set up\n\nKeys were fetched, parsers made and options built before anything was timed. " +
		"The key set has three keys, each with `alg`, `use` and `kid`.\n\n")
	versions := moduleVersions()
	for _, c := range r.Contenders {
		var modules []string
		for _, path := range c.Modules {
			modules = append(modules, fmt.Sprintf("%s %s", path, versions[path]))
		}
		fmt.Fprintf(b, "- **%s** (%s): %s\n", c.Name, strings.Join(modules, ", "), c.Setup)
	}
	b.WriteString("- **bare primitive** (the standard library): for ES256 the signature's R and S are written into the ASN.1 form that ecdsa.VerifyASN1 takes, " +
		"which is cheaper than two big.Ints for ecdsa.Verify. The signing input lies ready as bytes.\n" +
		"- **primitive through jwx** (github.com/lestrrat-go/jwx/v2): the same work by jws.NewVerifier's verifier.\n")
}

// moduleVersions are those that the command was built with.
func moduleVersions() map[string]string {
	versions := make(map[string]string)
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return versions
	}
	for _, m := range info.Deps {
		versions[m.Path] = m.Version
		if m.Replace != nil {
			versions[m.Path] = "as in this tree"
		}
	}
	return versions
}

func percent(rate float64) string { return fmt.Sprintf("%.1f %%", rate*100) }

// orDash leaves out what did not happen.
func orDash(ns float64) string {
	if ns == 0 {
		return "–"
	}
	return duration(ns)
}
