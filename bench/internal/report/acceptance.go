package report

import (
	"fmt"
	"time"

	"github.com/m2mguard/m2mguard/bench/internal/measure"
	"github.com/m2mguard/m2mguard/bench/internal/suite"
)

// Line is one thing that m2mguard promises of its speed, and whether this run
// kept it.
type Line struct {
	What, Bound, Measured string
	// Holds says where a bound does.
	Holds Holds
	OK    bool
}

// Holds is where a bound does.
type Holds string

// A bound against a peer, against ourselves or on a count holds anywhere: what is compared
// is Go code with Go code. A bound against a bare primitive or on a time is a property of
// the processor, where one may gain more on assembly than on Go code.
const (
	Anywhere    Holds = "anywhere"
	OnProcessor Holds = "this processor"
)

// Acceptance compares a run with what was promised. "The primitive" in it is the
// bare one of package contender.
func Acceptance(r *suite.Results) []Line {
	var lines []Line
	lines = append(lines, throughSockets(r)...)
	lines = append(lines, seenBefore(r)...)
	lines = append(lines, firstTime(r)...)
	lines = append(lines, wholeRequests(r)...)
	lines = append(lines, rejections(r)...)
	lines = append(lines, boundTokens(r)...)
	lines = append(lines, revocations(r)...)
	lines = append(lines, manyTokens(r)...)
	return append(lines, manyIssuers(r)...)
}

// atLeast and atMost make lines about a ratio between Go code and Go code, ofPrimitive one
// about a ratio to a bare primitive.
func atLeast(what string, bound, ratio float64) Line {
	return Line{what, fmt.Sprintf("at least %g times faster", bound), fmt.Sprintf("%.0f times", ratio), Anywhere, ratio >= bound}
}

func atMost(what string, bound, ratio float64) Line {
	return Line{what, fmt.Sprintf("at most %.2f times", bound), fmt.Sprintf("%.3f times", ratio), Anywhere, ratio <= bound}
}

func ofPrimitive(what string, bound, ratio float64) Line {
	l := atMost(what, bound, ratio)
	l.Holds = OnProcessor
	return l
}

func allocations(what string, bound uint64, measured uint64) Line {
	return Line{what, fmt.Sprintf("at most %d", bound), fmt.Sprint(measured), Anywhere, measured <= bound}
}

func share(what string, percent, of float64) Line {
	return Line{what, fmt.Sprintf("at most %g %% of an RS256 primitive", percent), fmt.Sprintf("%.2f %%", of*100), OnProcessor, of*100 <= percent}
}

// both calls f for one goroutine and for all cores.
func both(p suite.Pair, f func(measure.Results, string) Line) []Line {
	return []Line{f(p.One, "one goroutine"), f(p.All, "all cores")}
}

// socketBound is how many times the requests of the fastest peer get through.
const socketBound = 1.5

func throughSockets(r *suite.Results) []Line {
	line := func(tokens string, g measure.Results) Line {
		peer := suite.FastestGuard(g)
		times := peer.Time / g.Get(suite.Protected("net/http")).Time
		return Line{
			"requests a second through a socket, against the fastest peer, " + tokens, fmt.Sprintf("at least %g times as many", socketBound),
			fmt.Sprintf("%.2f times", times), Anywhere, times >= socketBound,
		}
	}
	return []Line{line("one token", r.Sockets.One), line(fmt.Sprintf("%d in turn", suite.TokensInTurn), r.Sockets.Many)}
}

func seenBefore(r *suite.Results) []Line {
	jwt := r.Verify[0].Pair // RS256
	lines := both(jwt, func(g measure.Results, cores string) Line {
		return atLeast("JWT seen before, against the fastest peer, "+cores, 100, suite.FastestPeer(g).Time/g.Get(suite.Seen).Time)
	})
	lines = append(lines, both(r.Opaque, func(g measure.Results, cores string) Line {
		return atLeast("opaque token seen before, against the peer without issuer and network, "+cores, 50,
			g.Get(suite.PeerAlone).Time/g.Get(suite.OpaqueSeen).Time)
	})...)
	lines = append(lines, both(jwt, func(g measure.Results, cores string) Line {
		return atMost("JWT seen before, with an observer of accepted requests against without, "+cores, 1.25, g.Get(suite.Observed).Time/g.Get(suite.Seen).Time)
	})...)
	lines = append(lines, both(jwt, func(g measure.Results, cores string) Line {
		return allocations("JWT seen before, with an observer, allocations, "+cores, 0, g.Get(suite.Observed).Allocs)
	})...)
	lines = append(lines, both(jwt, func(g measure.Results, cores string) Line {
		return atMost("JWT seen before, with telemetry against without, "+cores, 1.15, g.Get(suite.Metered).Time/g.Get(suite.Seen).Time)
	})...)
	lines = append(lines, both(jwt, func(g measure.Results, cores string) Line {
		return allocations("JWT seen before, with telemetry, allocations, "+cores, 0, g.Get(suite.Metered).Allocs)
	})...)
	lines = append(lines, both(jwt, func(g measure.Results, cores string) Line {
		return allocations("JWT seen before, with telemetry that times every hit, allocations, "+cores, 0, g.Get(suite.EachMetered).Allocs)
	})...)
	lines = append(lines, both(jwt, func(g measure.Results, cores string) Line {
		return allocations("JWT seen before, allocations, "+cores, 0, g.Get(suite.Seen).Allocs)
	})...)
	return append(lines, both(r.Opaque, func(g measure.Results, cores string) Line {
		return allocations("opaque token seen before, allocations, "+cores, 0, g.Get(suite.OpaqueSeen).Allocs)
	})...)
}

// firstBounds are how many times the primitive a first sight may cost.
var firstBounds = map[string]float64{"RS256": 1.12, "ES256": 1.10, "EdDSA": 1.10}

func firstTime(r *suite.Results) []Line {
	var lines []Line
	for _, v := range r.Verify {
		if bound, ok := firstBounds[v.Algorithm]; ok {
			ratio := v.One.Get(suite.First).Time / v.One.Get(suite.Bare).Time
			lines = append(lines, ofPrimitive(v.Algorithm+" first time, against the primitive", bound, ratio))
		}
	}
	for _, v := range r.Verify {
		first, peer := v.One.Get(suite.First), suite.FastestPeer(v.One)
		lines = append(lines, Line{
			What:     v.Algorithm + " first time, against the fastest peer",
			Bound:    "faster",
			Measured: fmt.Sprintf("%.2f of %s's", first.Time/peer.Time, peer.Name),
			Holds:    Anywhere,
			OK:       first.Time < peer.Time,
		})
	}
	for _, v := range r.Verify {
		first, primitive := v.One.Get(suite.First), v.One.Get(suite.Primitive)
		lines = append(lines, allocations(v.Algorithm+" first time, allocations above the primitive through jwx", 12, first.Allocs-min(first.Allocs, primitive.Allocs)))
	}
	return lines
}

func wholeRequests(r *suite.Results) []Line {
	bounds := map[string]struct {
		percent float64
		allocs  uint64
	}{"net/http": {3, 3}, "Echo": {4, 5}, "Gin": {4, 5}}
	var lines []Line
	for _, framework := range suite.Frameworks {
		g := r.Requests.One
		plain, protected := g.Get(framework), g.Get(suite.Protected(framework))
		lines = append(lines,
			share(framework+" request, seen before, above the unprotected handler", bounds[framework].percent,
				(protected.Time-plain.Time)/g.Get(suite.Bare).Time),
			allocations(framework+" request, allocations above the unprotected handler", bounds[framework].allocs,
				protected.Allocs-min(protected.Allocs, plain.Allocs)))
	}
	return lines
}

func rejections(r *suite.Results) []Line {
	var lines []Line
	for _, kind := range r.Rejected {
		g := kind.One
		lines = append(lines, share("rejected: "+kind.Kind, 7, g.Get(suite.Ours).Time/g.Get(suite.Bare).Time))
	}
	return append(lines, dearRefusals(r)...)
}

// dearBound is how many RS256 primitives refusing a token may cost beside its
// signature, whatever it holds.
const dearBound = 3.0

func dearRefusals(r *suite.Results) []Line {
	var lines []Line
	for _, d := range r.Dear {
		_, beside := d.Dearest()
		lines = append(lines, Line{
			What:     "the dearest refusal of " + d.Algorithm + ", beside its signature",
			Bound:    fmt.Sprintf("at most %.1f RS256 primitives", dearBound),
			Measured: fmt.Sprintf("%.2f", beside),
			Holds:    OnProcessor,
			OK:       beside <= dearBound,
		})
	}
	return lines
}

// Bounds of bound tokens (RFC 9449, RFC 8705).
const (
	provenBound    = 1.15 // of the bare verification of its proof
	provenAllocs   = 30
	certifiedBound = 1000 // nanoseconds above a plain hit
	besideBound    = 1.05 // of a hit without DPoP, which is to be as before
	dearProof      = 5    // percent of the bare verification
)

func boundTokens(r *suite.Results) []Line {
	var lines []Line
	for _, b := range r.Bound {
		g := b.One
		bare, seen := g.Get(suite.Bare), g.Get(suite.Seen)
		lines = append(lines,
			ofPrimitive(b.Algorithm+" proof, token seen before, against the primitive", provenBound, g.Get(suite.Proven).Time/bare.Time),
			allocations(b.Algorithm+" proof, token seen before, allocations", provenAllocs, g.Get(suite.Proven).Allocs))
		if b.Algorithm != "ES256" {
			continue
		}
		above := g.Get(suite.Certified).Time - seen.Time
		lines = append(lines,
			Line{"certificate-bound token seen before, above a plain hit", fmt.Sprintf("at most %d ns", certifiedBound), fmt.Sprintf("%.0f ns", above), OnProcessor, above <= certifiedBound},
			allocations("certificate-bound token seen before, allocations", 0, g.Get(suite.Certified).Allocs),
			atMost("bearer token seen before, with DPoP configured against without", besideBound, g.Get(suite.BearerBeside).Time/seen.Time))
		for _, kind := range b.Dear {
			percent := 100 * g.Get(kind).Time / bare.Time
			lines = append(lines, Line{"a bad proof, refused before its signature: " + kind, fmt.Sprintf("at most %d %% of an ES256 primitive", dearProof), fmt.Sprintf("%.2f %%", percent), OnProcessor, percent <= dearProof})
		}
	}
	return lines
}

func manyTokens(r *suite.Results) []Line {
	most := r.Reuse[len(r.Reuse)-1]
	lines := []Line{
		{
			What:     fmt.Sprintf("cache under %s distinct tokens, memory", thousands(r.Memory.Distinct)),
			Bound:    "at most " + megabytes(r.Memory.Bound) + ", by the documented formula",
			Measured: megabytes(r.Memory.Total), Holds: Anywhere, OK: r.Memory.Total <= r.Memory.Bound,
		},
		{
			What:     fmt.Sprintf("cache full of tokens of %s bytes, memory", thousands(r.LongMemory.TokenBytes)),
			Bound:    "at most " + megabytes(r.LongMemory.Bound) + ", by the documented formula",
			Measured: megabytes(r.LongMemory.Total), Holds: Anywhere, OK: r.LongMemory.Total <= r.LongMemory.Bound,
		},
		atMost(fmt.Sprintf("%s distinct tokens, a miss, against a first time without cache, medians", thousands(most.Distinct)), missBound, most.Miss/most.Uncached),
	}
	for _, reuse := range r.Reuse {
		points := (reuse.Ideal - reuse.Hits) * 100
		lines = append(lines, Line{
			What:     "hit rate below an ideal LRU's, distinct tokens: " + thousands(reuse.Distinct),
			Bound:    "at most 5 points",
			Measured: fmt.Sprintf("%.2f points", points), Holds: Anywhere, OK: points <= 5,
		})
	}
	return lines
}

// What a list of revocations may cost, and how soon it must end what lasts.
const (
	listedBound = 1.1 // of a hit without a list
	entryBound  = 64  // bytes
	endBound    = time.Second
)

func revocations(r *suite.Results) (lines []Line) {
	l := r.Revocations
	for _, n := range suite.Listed {
		lines = append(lines, both(l.Pair, func(g measure.Results, cores string) Line {
			return atMost(fmt.Sprintf("token seen before, with a list of %s entries against without, %s", thousands(n), cores), listedBound, g.Get(suite.AskingList(n)).Time/g.Get(suite.Seen).Time)
		})...)
		lines = append(lines, allocations(fmt.Sprintf("the same, of %s entries, allocations", thousands(n)), 0, l.One.Get(suite.AskingList(n)).Allocs))
	}
	return append(lines,
		Line{"an entry of a million", fmt.Sprintf("at most %d bytes", entryBound), fmt.Sprintf("%.1f bytes", l.EntryBytes), Anywhere, l.EntryBytes <= entryBound},
		Line{fmt.Sprintf("the last stream of a revoked client, of %s open ones", thousands(suite.OpenStreams)), "within " + endBound.String(), l.Streams.End.Round(time.Microsecond).String(), OnProcessor, l.Streams.End <= endBound},
		Line{"goroutines for those", "at most 1", fmt.Sprint(l.Streams.Goroutines), Anywhere, l.Streams.Goroutines <= 1},
	)
}

// missBound allows a miss what the clock and the scheduler make two medians of
// the same thing differ by, and nothing that could be called a cost.
const missBound = 1.05

func manyIssuers(r *suite.Results) []Line {
	var lines []Line
	for _, tokens := range []int{1, 100} {
		lines = append(lines, both(r.Issuers, func(g measure.Results, cores string) Line {
			many, one := g.Get(suite.IssuersSubject(100, tokens)), g.Get(suite.IssuersSubject(1, tokens))
			return atMost(fmt.Sprintf("100 issuers against one, tokens in use: %d, %s", tokens, cores), 1.2, many.Time/one.Time)
		})...)
	}
	return lines
}
