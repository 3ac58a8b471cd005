package report_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/bench/internal/measure"
	"github.com/m2mguard/m2mguard/bench/internal/report"
	"github.com/m2mguard/m2mguard/bench/internal/reuse"
	"github.com/m2mguard/m2mguard/bench/internal/size"
	"github.com/m2mguard/m2mguard/bench/internal/suite"
)

// served are requests a second of servers, of which ours serves so many times as many as
// the only peer.
func served(times float64) measure.Results {
	rate := func(name string, perSecond float64) measure.Result {
		ns := 1e9 / perSecond
		return measure.Result{Name: name, Time: ns, Samples: []float64{ns * 1.25, ns, ns / 2}}
	}
	return measure.Results{
		rate(suite.Unguarded("net/http"), 32_000), rate(suite.Protected("net/http"), 30_000), rate("net/http + fast", 30_000/times),
		rate(suite.Unguarded("Echo"), 20_000), rate(suite.Protected("Echo"), 15_000), rate(suite.EchoJWT, 10_000),
	}
}

// results are those of a run that just keeps every promise.
func results() *suite.Results {
	both := func(group ...measure.Result) suite.Pair { return suite.Pair{One: group, All: group} }
	r := &suite.Results{
		Sockets: suite.Sockets{One: served(1.5), Many: served(1.5)},
		Sizes: []size.Program{
			{Service: size.Service{Name: "unguarded"}, Plain: 8e6, Stripped: 5.8e6, Packages: 190, Parts: []size.Part{{Module: size.Standard, Bytes: 2.5e6}}},
			{Service: size.Service{Name: "m2mguard"}, Plain: 11e6, Stripped: 8e6, Modules: 7, Packages: 250, Parts: []size.Part{
				{Module: size.Standard, Bytes: 3e6}, {Module: "example.com/large", Bytes: 600_000}, {Module: "example.com/small", Bytes: 900}}},
		},
		Opaque: both(
			measure.Result{Name: suite.OpaqueSeen, Time: 400},
			measure.Result{Name: suite.PeerAlone, Time: 20_000},
		),
		Requests: both(
			measure.Result{Name: suite.Bare, Time: 30_000},
			measure.Result{Name: "net/http", Time: 100},
			measure.Result{Name: suite.Protected("net/http"), Time: 1000, Allocs: 3},
			measure.Result{Name: "Echo", Time: 200, Allocs: 1},
			measure.Result{Name: suite.Protected("Echo"), Time: 1400, Allocs: 6},
			measure.Result{Name: "Gin", Time: 300, Allocs: 1},
			measure.Result{Name: suite.Protected("Gin"), Time: 1500, Allocs: 6},
			measure.Result{Name: suite.Auth0Request, Time: 80_000},
		),
		Calls: both(
			measure.Result{Name: suite.Calls[0], Time: 90_000},
			measure.Result{Name: suite.Calls[1], Time: 91_000},
			measure.Result{Name: suite.Calls[2], Time: 130_000},
		),
		ConnectCalls: both(
			measure.Result{Name: "Connect", Time: 90_000},
			measure.Result{Name: "Connect + m2mguard", Time: 91_000},
		),
		Issuers: both(
			measure.Result{Name: suite.IssuersSubject(1, 1), Time: 300},
			measure.Result{Name: suite.IssuersSubject(1, 100), Time: 400},
			measure.Result{Name: suite.IssuersSubject(100, 1), Time: 360},
			measure.Result{Name: suite.IssuersSubject(100, 100), Time: 480},
		),
		Revocations: suite.Revocations{
			Pair: both(
				measure.Result{Name: suite.Seen, Time: 400},
				measure.Result{Name: suite.AskingList(0), Time: 440},
				measure.Result{Name: suite.AskingList(1000), Time: 440},
				measure.Result{Name: suite.AskingList(1_000_000), Time: 440},
			),
			EntryBytes: 64, Streams: suite.Streams{End: time.Second, Goroutines: 1},
		},
		Reuse:      []reuse.Result{{Distinct: 1_000_000, Draws: 1_000_000, Hits: 0.55, Ideal: 0.6, Hit: 300, Miss: 60_000, Uncached: 60_000}},
		Memory:     reuse.Memory{Entries: 10, Total: 1000, Bound: 1000},
		LongMemory: reuse.Memory{Entries: 10, Total: 2000, Bound: 2000},
	}
	for _, algorithm := range []string{"ES256", "EdDSA"} {
		r.Bound = append(r.Bound, suite.Bound{Algorithm: algorithm, Dear: []string{"dear"}, Pair: both(
			measure.Result{Name: suite.Bare, Time: 30_000},
			measure.Result{Name: suite.Seen, Time: 400},
			measure.Result{Name: suite.BearerBeside, Time: 400},
			measure.Result{Name: suite.Certified, Time: 1400},
			measure.Result{Name: suite.Proven, Time: 34_400, Allocs: 30},
			measure.Result{Name: "dear", Time: 1490},
		)})
	}
	for algorithm, first := range map[string]float64{"RS256": 33_600, "PS256": 40_000, "ES256": 33_000, "EdDSA": 33_000} {
		r.Verify = append(r.Verify, suite.Verify{Algorithm: algorithm, Pair: both(
			measure.Result{Name: suite.Seen, Time: 400},
			measure.Result{Name: suite.Observed, Time: 500},
			measure.Result{Name: suite.Metered, Time: 460},
			measure.Result{Name: suite.EachMetered, Time: 900},
			measure.Result{Name: suite.First, Time: first, Allocs: 22},
			measure.Result{Name: suite.FirstCached, Time: first},
			measure.Result{Name: suite.Bare, Time: 30_000, Allocs: 9},
			measure.Result{Name: suite.Primitive, Time: 30_000, Allocs: 10},
			measure.Result{Name: "fast", Time: 40_001},
			measure.Result{Name: "slow", Time: 90_000},
		)})
	}
	slices.SortFunc(r.Verify, func(a, b suite.Verify) int { return -strings.Compare(a.Algorithm, b.Algorithm) }) // RS256 first
	for _, kind := range []string{"malformed", "wrong alg", "unknown kid", "foreign issuer", "expired"} {
		r.Rejected = append(r.Rejected, suite.Rejected{Kind: kind, One: measure.Results{
			measure.Result{Name: suite.Bare, Time: 30_000},
			measure.Result{Name: suite.Ours, Time: 2099},
			measure.Result{Name: "fast", Time: 5000},
		}})
	}
	for _, algorithm := range []string{"RS256", "ES256"} {
		r.Dear = append(r.Dear, suite.Dear{Algorithm: algorithm, Kinds: []string{"long", "dear"}, One: measure.Results{
			measure.Result{Name: suite.Bare, Time: 30_000},
			measure.Result{Name: "long", Time: 90_000},
			measure.Result{Name: suite.SignatureOf("long"), Time: 40_000},
			measure.Result{Name: "dear", Time: 130_000},
			measure.Result{Name: suite.SignatureOf("dear"), Time: 40_000},
		}})
	}
	return r
}

func missed(r *suite.Results) []string {
	var missed []string
	for _, line := range report.Acceptance(r) {
		if !line.OK {
			missed = append(missed, line.What)
		}
	}
	return missed
}

func TestAcceptanceKeepsWhatIsJustEnough(t *testing.T) {
	if m := missed(results()); m != nil {
		t.Errorf("missed %q, wanted nothing", m)
	}
}

func TestAcceptanceMissesWhatIsTooMuch(t *testing.T) {
	set := func(group measure.Results, name string, change func(*measure.Result)) {
		i := slices.IndexFunc(group, func(r measure.Result) bool { return r.Name == name })
		change(&group[i])
	}
	slower := func(r *measure.Result) { r.Time *= 1.01 }
	greedier := func(r *measure.Result) { r.Allocs++ }
	for _, c := range []struct {
		name   string
		change func(*suite.Results)
		want   string // a part of each missed line
	}{
		{"through a socket", func(r *suite.Results) { r.Sockets.One = served(1.49) }, "requests a second through a socket, against the fastest peer, one token"},
		{"through a socket, in turn", func(r *suite.Results) { r.Sockets.Many = served(1.49) }, "500 in turn"},
		{"seen before", func(r *suite.Results) { set(r.Verify[0].One, suite.Seen, slower) }, "JWT seen before, against the fastest peer"},
		{"seen before allocates", func(r *suite.Results) { set(r.Verify[0].One, suite.Seen, greedier) }, "JWT seen before, allocations"},
		{"an observer", func(r *suite.Results) { set(r.Verify[0].One, suite.Observed, slower) }, "JWT seen before, with an observer of accepted requests"},
		{"an observer allocates", func(r *suite.Results) { set(r.Verify[0].One, suite.Observed, greedier) }, "JWT seen before, with an observer, allocations"},
		{"telemetry", func(r *suite.Results) { set(r.Verify[0].One, suite.Metered, slower) }, "JWT seen before, with telemetry against"},
		{"telemetry allocates", func(r *suite.Results) { set(r.Verify[0].One, suite.Metered, greedier) }, "JWT seen before, with telemetry, allocations"},
		{"all of telemetry allocates", func(r *suite.Results) { set(r.Verify[0].One, suite.EachMetered, greedier) }, "JWT seen before, with telemetry that times every hit, allocations"},
		{"opaque seen before", func(r *suite.Results) { set(r.Opaque.One, suite.OpaqueSeen, slower) }, "opaque token seen before, against"},
		{"first time", func(r *suite.Results) { set(r.Verify[0].One, suite.First, slower) }, "RS256 first time, against the primitive"},
		{"a faster peer", func(r *suite.Results) {
			set(r.Verify[1].One, "slow", func(m *measure.Result) { m.Time = 39_999 })
		}, "PS256 first time, against the fastest peer"},
		{"first time allocates", func(r *suite.Results) { set(r.Verify[2].One, suite.First, greedier) }, "EdDSA first time, allocations"},
		{"request", func(r *suite.Results) { set(r.Requests.One, suite.Protected("Gin"), slower) }, "Gin request, seen before"},
		{"request allocates", func(r *suite.Results) { set(r.Requests.One, suite.Protected("Echo"), greedier) }, "Echo request, allocations"},
		{"rejection", func(r *suite.Results) { set(r.Rejected[2].One, suite.Ours, slower) }, "rejected: unknown kid"},
		{"a dear refusal", func(r *suite.Results) { set(r.Dear[1].One, "dear", slower) }, "the dearest refusal of ES256"},
		{"a proof", func(r *suite.Results) { set(r.Bound[0].One, suite.Proven, func(m *measure.Result) { m.Time = 34_600 }) }, "ES256 proof, token seen before, against"},
		{"a proof allocates", func(r *suite.Results) { set(r.Bound[1].One, suite.Proven, greedier) }, "EdDSA proof, token seen before, allocations"},
		{"a certificate", func(r *suite.Results) { set(r.Bound[0].One, suite.Certified, slower) }, "certificate-bound token seen before, above"},
		{"a certificate allocates", func(r *suite.Results) { set(r.Bound[0].One, suite.Certified, greedier) }, "certificate-bound token seen before, allocations"},
		{"bearer beside DPoP", func(r *suite.Results) {
			set(r.Bound[0].One, suite.BearerBeside, func(m *measure.Result) { m.Time = 421 })
		}, "bearer token seen before, with DPoP"},
		{"a list", func(r *suite.Results) {
			r.Revocations.One = slices.Clone(r.Revocations.One) // which all cores are not
			set(r.Revocations.One, suite.AskingList(1000), slower)
		}, "token seen before, with a list of 1,000 entries against without"},
		{"a list allocates", func(r *suite.Results) { set(r.Revocations.One, suite.AskingList(0), greedier) }, "the same, of 0 entries, allocations"},
		{"an entry", func(r *suite.Results) { r.Revocations.EntryBytes = 64.1 }, "an entry of a million"},
		{"a late end", func(r *suite.Results) { r.Revocations.Streams.End++ }, "the last stream of a revoked client"},
		{"a goroutine for each", func(r *suite.Results) { r.Revocations.Streams.Goroutines = 2 }, "goroutines for those"},
		{"a bad proof", func(r *suite.Results) { set(r.Bound[0].One, "dear", slower) }, "a bad proof, refused before its signature: dear"},
		{"memory", func(r *suite.Results) { r.Memory.Total++ }, "distinct tokens, memory"},
		{"memory of long tokens", func(r *suite.Results) { r.LongMemory.Total++ }, "cache full of tokens of"},
		{"miss", func(r *suite.Results) { r.Reuse[0].Miss *= 1.06 }, "a miss, against a first time"},
		{"hit rate", func(r *suite.Results) { r.Reuse[0].Hits -= 0.001 }, "hit rate below"},
		{"issuers", func(r *suite.Results) { set(r.Issuers.All, suite.IssuersSubject(100, 100), slower) }, "100 issuers against one, tokens in use: 100, all cores"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := results()
			// One and All share their results above; a change is of one of them.
			for i := range r.Verify {
				r.Verify[i].All = slices.Clone(r.Verify[i].All)
			}
			r.Opaque.All, r.Requests.All, r.Issuers.All = slices.Clone(r.Opaque.All), slices.Clone(r.Requests.All), slices.Clone(r.Issuers.All)
			c.change(r)
			if m := missed(r); len(m) != 1 || !strings.Contains(m[0], c.want) {
				t.Errorf("missed %q, wanted one line with %q", m, c.want)
			}
		})
	}
}

// What compares with a bare primitive, or is a time, is stated for the processor; the rest
// is not.
func TestBoundsSayWhereTheyHold(t *testing.T) {
	kinds := make(map[report.Holds]int)
	for _, line := range report.Acceptance(results()) {
		want := report.Anywhere
		for _, word := range []string{"primitive", " ns", "within"} {
			if strings.Contains(line.Bound, word) || strings.Contains(line.What, "against the primitive") {
				want = report.OnProcessor
			}
		}
		kinds[line.Holds]++
		if line.Holds != want {
			t.Errorf("%q, %q holds %q, wanted %q", line.What, line.Bound, line.Holds, want)
		}
	}
	if kinds[report.Anywhere] < 30 || kinds[report.OnProcessor] < 15 {
		t.Errorf("%v", kinds)
	}
}

func TestReport(t *testing.T) {
	r := results()
	text := report.Markdown(r, report.Run{Command: "go run .", Count: 1, Batch: time.Millisecond})
	for _, line := range []string{
		"- [Requests a second](#requests-a-second)",
		"- [The size of a program](#the-size-of-a-program)",
		"| net/http, unguarded | 32,000 (25,600 – 64,000) | 1.00 | 32,000 (25,600 – 64,000) | 1.00 |",
		"| net/http + m2mguard | 30,000 (24,000 – 60,000) | 0.94 | 30,000 (24,000 – 60,000) | 0.94 |",
		"| Echo + m2mguard | 15,000 (12,000 – 30,000) | 0.75 | 15,000 (12,000 – 30,000) | 0.75 |",
		"| m2mguard | 11.0 MB | 8.0 MB | 2.2 MB | 7 | 250 |",
		"What makes the difference, in machine code: 500 kB more of the standard library, 600 kB example.com/large. The other 1.1 MB are",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("the report leaves out %q", line)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
	head, _, _ := strings.Cut(text, "\n## ")
	if listed, sections := strings.Count(head, "\n- ["), strings.Count(text, "\n## "); listed != sections {
		t.Errorf("%d sections listed of %d", listed, sections)
	}
}
