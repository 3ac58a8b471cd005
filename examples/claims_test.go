package examples_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// claim is what a page may say with a figure outside a table that quotes one: in these
// words, which a file of the tree bears out.
type claim struct{ page, words, file, holds string }

// named is for settings of another library, which the words name.
const named = ""

const (
	ofFleetSizes = "fleet/sizes_test.go"
	ofSpread     = "fleet/internal/spread/results.md"
	ofResults    = "bench/results/results.md"
	ofProofs     = "dpop/memory_test.go"
)

var claims = []claim{
	{"README.md", "One RS256 token of 965 bytes", ofResults, "an RS256 one of 965 bytes"},
	{"README.md", "| made-up key ids cause | two fetches", "jwks/keyset.go", "rate.Every(config.MinFetchInterval), 2)"},
	{"README.md", ", then one in 5 s |", "jwks/config.go", "defaultMinFetchInterval = 5 * time.Second"},
	{"README.md", "| keys serve while their issuer is down | 24 h |", "jwks/config.go", "defaultMaxStale = 24 * time.Hour"},
	{"README.md", "| opaque tokens | yes, remembered 30 s |", "introspection/config.go", "defaultPositiveLifetime = 30 * time.Second"},
	{"README.md", "stripped, 9.4 MB against 5.8 MB unguarded", ofResults, "| 5.8 MB | 0.0 MB | 0 | 186 | | m2mguard | 13.5 MB | 9.4 MB |"},
	{"README.md", "10,000 that are remembered take 10.0 MB", ofResults, "as above: 714 bytes | 1,000,000 | 412 | 1000 | 10.0 MB |"},
	{"SECURITY.md", "costs a twentieth of one (`dpop.BenchmarkRefusals`)", ofResults, "escapes | at most 5 % of an ES256 primitive"},
	{"SECURITY.md", "the memory has at most so many of 48 bytes", ofProofs, "each > 48"},
	{"SECURITY.md", "whoever holds more than four times what is left", "dpop/memory.go", "more than four times what is left"},
	{"SECURITY.md", "Each call has its time-out (50 ms)", "fleet/config.go", "defaultReplayTimeout = 50 * time.Millisecond"},
	{"docs/bound.md", "in at most 1,000,000 × 48 bytes, which is 11,000 requests a second", ofProofs, "const proofs = 1_000_000"},
	{"docs/bound.md", "who holds more than four times what is left", "dpop/memory.go", "more than four times what is left"},
	{"docs/certificates.md", "the secret, of 16 bytes or more", "adapters/httpauth/forwarded/trust.go", "minSecret = 16"},
	{"docs/comparison.md", "once 80 % of its time is over, in the background; its time is the set's `max-age`, shorter or longer, or else 15 min by default (`jwks/provider.go`", named, ""},
	{"docs/fleet-answers.md", "50 ms (`SharedTimeout`)", "introspection/config.go", "defaultSharedTimeout = 50 * time.Millisecond"},
	{"docs/fleet-answers.md", "`ReplayTimeout` (50 ms)", "fleet/config.go", "defaultReplayTimeout = 50 * time.Millisecond"},
	{"docs/fleet-answers.md", "a million, which is 10,000 requests with a proof a second at one instance", "fleet/config.go", "so that is 10,000 requests with"},
	{"docs/fleet-answers.md", "a proof takes at most 170 bytes", ofFleetSizes, "a proof takes at most"},
	{"docs/fleet-answers.md", "at 1,000 requests with a proof a second over all instances, 17 MB", ofFleetSizes, "at 1,000 requests with a proof a second over all instances"},
	{"docs/fleet-answers.md", "which are 170 MB for each million", ofFleetSizes, "MB for each million"},
	{"docs/fleet-answers.md", "An answer of 400 bytes takes at most 750", ofFleetSizes, "An answer of 400 bytes takes at most"},
	{"docs/fleet.md", "at most 220 bytes an entry, and 4 MB for the log", ofFleetSizes, "bytes an entry"},
	{"docs/fleet.md", "5,000 requests a second over all, and revokes 200 clients in a minute, three times", "fleet/internal/spread/main.go", `"rate", 5000`},
	{"docs/fleet.md", "a p99 is 250 ms or more", "fleet/internal/spread/serve.go", "mostP99 = 250 * time.Millisecond"},
	{"docs/fleet.md", "the worst p99 was 16 ms, and the worst maximum 70 ms", ofSpread, "| 16 ms | 70 ms |"},
	{"docs/fleet.md", "opened in 0.5 s, four times as long", ofSpread, "opened in 0.5 s, four times as long"},
	{"docs/grpc.md", "`grpc.MaxRecvMsgSize` (4 MB by default)", named, ""},
	{"docs/operate.md", "`introspection.Config.SharedTimeout` (50 ms)", "introspection/config.go", "defaultSharedTimeout = 50 * time.Millisecond"},
	{"docs/performance.md", "costs at most three RS256 verifications", ofResults, "| the dearest refusal of RS256, beside its signature | at most 3.0 RS256 primitives |"},
	{"docs/performance.md", "entries × (payload + 700 bytes)", "validator/bound_test.go", "const bound = entries * (maxToken + 700)"},
	{"docs/performance.md", "adds 150 bytes to each entry", "validator/bound_test.go", "entries*(maxToken+700+150)"},
	{"docs/performance.md", "about 40 for each of its own", ofResults, "| an entry of a million | at most 64 bytes | 38."},
	{"docs/performance.md", "`dpop.NewMemory` with more, at 48 bytes each", ofProofs, "each > 48"},
}

// figure is what says a cost: a time below a second or in parts of one, a size, how
// often, which part, how many a second. Whole seconds, minutes and hours are settings:
// how long something is waited for, or kept. So are KiB and MiB.
var figure = regexp.MustCompile(`[0-9][0-9.,]*[ -]?(?:ns|µs|ms|bytes|[kKMG]B|times|percent)\b` +
	`|[0-9][0-9.,]* ?%` +
	`|[0-9]+\.[0-9]+ s(?:econds?)?\b` +
	`|[0-9][0-9.,]* (?:requests|calls|tokens|proofs|connections)\b[^.;|]{0,60}? a second` +
	`|\b(?:two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|hundreds of|thousands of) (?:times|RS256 verifications|hits)\b` +
	`|\b(?:twice|half) (?:as|the)\b|\ba (?:third|quarter|tenth|twentieth|hundredth) of one\b`)

// unclaimed are the figures of a page that stand in no table that quotes what was
// measured, in no code and in no claim, and the claims that it does not make.
func unclaimed(name, page string, claims []claim) (figures, missing []string) {
	prose := fields(regexp.MustCompile("(?ms)^```.*?^```").ReplaceAllString(quotes.ReplaceAllString(page, ""), ""))
	for _, c := range claims {
		if c.page != name {
			continue
		}
		if !strings.Contains(prose, c.words) {
			missing = append(missing, c.words)
		}
		prose = strings.ReplaceAll(prose, c.words, "…")
	}
	return figure.FindAllString(prose, -1), missing
}

// TestFiguresInProse: what a page says of costs outside the tables that quote them is
// known here, and still so.
func TestFiguresInProse(t *testing.T) {
	pages := []string{"../README.md", "../SECURITY.md", "../CHANGELOG.md", "../CONTRIBUTING.md"}
	for _, pattern := range []string{"../docs/*.md", "../docs/issuers/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	for _, page := range pages {
		name := strings.TrimPrefix(page, "../")
		figures, missing := unclaimed(name, read(t, page), claims)
		for _, f := range figures {
			t.Errorf("%s: %q stands in no table that quotes what was measured, and in no claim of this test", name, f)
		}
		for _, words := range missing {
			t.Errorf("%s does not say any more: %q", name, words)
		}
	}
	for _, c := range claims {
		if c.file != named && !strings.Contains(fields(read(t, "../"+c.file)), c.holds) {
			t.Errorf("%s says %q, for which %s has no %q", c.page, c.words, c.file, c.holds)
		}
		if !slices.Contains(pages, "../"+c.page) {
			t.Errorf("there is no page %s", c.page)
		}
	}
}

// TestUnclaimed: figures are found, however they are said, and settings are none.
func TestUnclaimed(t *testing.T) {
	known := []claim{{"page.md", "A list adds 150 bytes", "", ""}, {"page.md", "at most three RS256 verifications", "", ""}}
	const said = "A list\nadds 150 bytes and costs at most three RS256\nverifications.\n"
	for page, want := range map[string]string{
		said: "",
		said + "Waits 30 s, for 24 h, up to 64 MiB, in two steps.\n": "",
		said + "```go\nconst bytes = 15 bytes\n```\n":                "",
		strings.Replace(said, "150", "15", 1):                        "15 bytes",
		strings.Replace(said, "three", "two", 1):                     "two RS256 verifications",
		said + "One processor serves 2,000,000 requests a second.\n": "2,000,000 requests a second",
		said + "It takes 0.1 ms each.\n":                             "0.1 ms",
		said + "A hit is 900 times faster than\nany peer.\n":         "900 times",
		said + "It needs 3 % of the time.\n":                         "3 %",
		said + "It takes 0.5 seconds.\n":                             "0.5 seconds",
		said + "It is twice as fast.\n":                              "twice as",
		said + "It keeps 12 MB, and 5 kB\n":                          "12 MB, 5 kB",
		said + "It serves 500 calls of all clients a second.\n":      "500 calls of all clients a second",
		said + "It costs 12ns.\n":                                    "12ns",
	} {
		figures, missing := unclaimed("page.md", page, known)
		changed := !strings.HasPrefix(page, said)
		if got := strings.Join(figures, ", "); got != want || (len(missing) == 1) != changed {
			t.Errorf("%q: found %q, wanted %q; not said any more: %q", page, got, want, missing)
		}
	}
}
