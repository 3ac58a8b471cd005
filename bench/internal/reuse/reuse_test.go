package reuse_test

import (
	"log/slog"
	"math"
	"os"
	"testing"

	"github.com/m2mguard/m2mguard/bench/internal/contender"
	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/bench/internal/reuse"
)

func TestMain(m *testing.M) {
	slog.SetLogLoggerLevel(slog.LevelWarn) // key sets are fetched and change all the time
	os.Exit(m.Run())
}

func newPopulation(t testing.TB, n int, extra string) (*fixture.Fixture, *reuse.Population) {
	t.Helper()
	f, err := fixture.New("EdDSA")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	p, err := reuse.NewPopulation(f, n, extra)
	if err != nil {
		t.Fatal(err)
	}
	return f, p
}

func TestPopulationIsOfGoodAndDistinctTokens(t *testing.T) {
	f, p := newPopulation(t, 40, "")
	v, err := contender.NewValidator(f, contender.NoCache)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	ids := make(map[string]bool)
	for i := range 40 {
		token, err := v.Verify(t.Context(), p.Token(i))
		if err != nil {
			t.Fatal(err)
		}
		ids[token.ID()] = true
	}
	if len(ids) != 40 {
		t.Errorf("%d different jti, wanted 40", len(ids))
	}
}

func TestSequenceIsZipfShaped(t *testing.T) {
	const distinct, draws = 1000, 200_000
	counts := make([]float64, distinct)
	for _, n := range reuse.Sequence(distinct, draws) {
		counts[n]++
	}
	harmonic := 0.0
	for k := range distinct {
		harmonic += 1 / float64(k+1)
	}
	for _, k := range []int{0, 1, 9, 99} {
		want := draws / harmonic / float64(k+1)
		if math.Abs(counts[k]-want) > 5*math.Sqrt(want) {
			t.Errorf("number %d was drawn %v times, wanted about %.0f", k, counts[k], want)
		}
	}
}

func TestIdealHitsIsLRU(t *testing.T) {
	sequence := []int32{1, 2, 1, 3, 2, 1, 1} // with two places, 3 pushes out 2, and 2 then 1
	if got := reuse.IdealHits(sequence, 2, 0); got != 2 {
		t.Errorf("%d hits, wanted 2", got)
	}
	if got := reuse.IdealHits(sequence, 3, 0); got != 4 {
		t.Errorf("%d hits with room for all, wanted 4", got)
	}
	if got := reuse.IdealHits(sequence, 2, 3); got != 1 {
		t.Errorf("%d hits after the first three draws, wanted 1", got)
	}
}

func TestMeasureFindsHitsAndMisses(t *testing.T) {
	f, p := newPopulation(t, 2000, "")
	r, err := reuse.Measure(f, p, 2000, 10_000, 200)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(r.Hits-r.Ideal) > 0.10 || r.Ideal < 0.4 || r.Ideal > 0.9 {
		t.Errorf("hit rate %.3f, ideal %.3f", r.Hits, r.Ideal)
	}
	if r.Hit <= 0 || r.Miss < 10*r.Hit || r.Uncached < 10*r.Hit {
		t.Errorf("a hit takes %.0f ns, a miss %.0f ns, without a cache %.0f ns", r.Hit, r.Miss, r.Uncached)
	}
	one, err := reuse.Measure(f, p, 1, 1000, 200)
	if err != nil {
		t.Fatal(err)
	}
	if one.Hits != 1 || one.Ideal != 1 {
		t.Errorf("one token: hit rate %v, ideal %v, wanted 1", one.Hits, one.Ideal)
	}
}

func TestMeasureMemory(t *testing.T) {
	f, p := newPopulation(t, 5000, "")
	m, err := reuse.MeasureMemory(f, p, 1000, 0)
	if err != nil {
		t.Fatal(err)
	}
	if m.PerToken() < float64(m.PayloadBytes) || m.Total > m.Bound {
		t.Errorf("%.0f bytes for a token, %d in all, bound %d, payload %d", m.PerToken(), m.Total, m.Bound, m.PayloadBytes)
	}
}
