package telemetry

import (
	"context"
	"maps"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/validator"
)

// watched is whose figures are read. What was closed goes on counting in gone, so that
// no sum falls.
type watched struct {
	mu         sync.Mutex
	validators []*validator.Validator
	lists      []*revocation.List
	gone       totals
}

// totals are what is counted since the start.
type totals struct {
	asked                                                            map[string]answered // by issuer
	hits, misses                                                     uint64
	first, replayed, undecided, noncesGood, noncesMissing, noncesBad uint64
}

// answered is how many questions about an issuer's tokens a remembered answer served.
type answered struct{ hits, misses uint64 }

// add counts s in. named is what a metric calls an issuer.
func (t *totals) add(s *validator.Stats, named func(string) string) {
	if t.asked == nil {
		t.asked = map[string]answered{}
	}
	for _, i := range s.Issuers {
		if !i.Resolved { // of those a sum would fall when one is forgotten
			of := t.asked[named(i.URL)]
			t.asked[named(i.URL)] = answered{of.hits + i.Introspection.Hits, of.misses + i.Introspection.Misses}
		}
	}
	t.hits += s.Hits
	t.misses += s.Misses
	t.first += s.Proofs.First
	t.replayed += s.Proofs.Replayed
	t.undecided += s.Proofs.Undecided
	t.noncesGood += s.Proofs.NoncesGood
	t.noncesMissing += s.Proofs.NoncesMissing
	t.noncesBad += s.Proofs.NoncesBad
}

// watch has a subject's figures read until its end.
func (m *meter) watch(subject any) func() {
	w := &m.watched
	w.mu.Lock()
	defer w.mu.Unlock()
	switch s := subject.(type) {
	case *validator.Validator:
		for _, i := range s.Stats().Issuers { // the configured ones: none can have been resolved yet
			m.issuers.of(i.URL)
		}
		w.validators = append(w.validators, s)
		return func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			last := s.Stats()
			w.gone.add(&last, m.issuer)
			w.validators = without(w.validators, s)
		}
	case *revocation.List:
		w.lists = append(w.lists, s)
		return func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.lists = without(w.lists, s)
		}
	}
	return nil
}

func without[T comparable](all []T, one T) []T {
	var rest []T
	for _, other := range all {
		if other != one {
			rest = append(rest, other)
		}
	}
	return rest
}

// collect reads all figures at once.
func (m *meter) collect(_ context.Context, o metric.Observer) error {
	w := &m.watched
	w.mu.Lock()
	defer w.mu.Unlock()
	sums, now := w.gone, validator.Stats{}
	sums.asked = maps.Clone(w.gone.asked)
	issuers := map[string]*validator.IssuerStats{}
	for _, v := range w.validators {
		s := v.Stats()
		sums.add(&s, m.issuer)
		addUp(&now, &s)
		for _, i := range s.Issuers {
			if !i.Resolved {
				one := issuers[m.issuer(i.URL)]
				if one == nil {
					one = &validator.IssuerStats{Keys: i.Keys}
					issuers[m.issuer(i.URL)] = one
				}
				worse(one, &i)
			}
		}
	}
	f := &m.figures
	if len(w.validators) > 0 {
		f.observe(o, &now)
	}
	f.count(o, &sums)
	for name, i := range issuers {
		f.issuer(o, name, i)
	}
	f.lists(o, w.lists)
	return nil
}

// addUp adds what several validators have.
func addUp(sum, s *validator.Stats) {
	sum.CacheEntries += s.CacheEntries
	sum.CacheSize += s.CacheSize
	sum.Verifying += s.Verifying
	sum.VerifyWaiting += s.VerifyWaiting
	sum.OpenRoutes += s.OpenRoutes
	sum.Streams += s.Streams
	sum.Resolved += s.Resolved
	sum.LookupsUnderWay += s.LookupsUnderWay
	sum.LookupsWaiting += s.LookupsWaiting
}

// worse keeps of an issuer's key sets in several validators what is worse.
func worse(one, i *validator.IssuerStats) {
	one.Keys.Keys = min(one.Keys.Keys, i.Keys.Keys)
	one.Keys.Age = max(one.Keys.Age, i.Keys.Age)
	one.Keys.Stale = one.Keys.Stale || i.Keys.Stale
	one.Introspection.UnderWay += i.Introspection.UnderWay
	one.Introspection.Waiting += i.Introspection.Waiting
	one.Introspection.Answers += i.Introspection.Answers
}

func (f *figures) observe(o metric.Observer, s *validator.Stats) {
	for gauge, value := range map[metric.Int64Observable]int{
		f.cacheEntries: s.CacheEntries, f.cacheLimit: s.CacheSize, f.verifyActive: s.Verifying, f.verifyWaiting: s.VerifyWaiting,
		f.openRoutes: s.OpenRoutes, f.streams: s.Streams, f.resolved: s.Resolved, f.resolveActive: s.LookupsUnderWay, f.resolveWaiting: s.LookupsWaiting,
	} {
		o.ObserveInt64(gauge, int64(value))
	}
}

// count writes the sums. What a program does not use, such as proofs of possession,
// has no series.
func (f *figures) count(o metric.Observer, t *totals) {
	write := func(counter metric.Int64Observable, used bool, result string, n uint64) {
		if used {
			o.ObserveInt64(counter, int64(n), metric.WithAttributes(attribute.String(resultKey, result)))
		}
	}
	write(f.cacheRequests, true, "hit", t.hits)
	write(f.cacheRequests, true, "miss", t.misses)
	proofs := t.first+t.replayed+t.undecided > 0
	write(f.replays, proofs, "first", t.first)
	write(f.replays, proofs, "replayed", t.replayed)
	write(f.replays, proofs, "undecided", t.undecided)
	nonces := t.noncesGood+t.noncesMissing+t.noncesBad > 0
	write(f.nonces, nonces, "good", t.noncesGood)
	write(f.nonces, nonces, "missing", t.noncesMissing)
	write(f.nonces, nonces, "bad", t.noncesBad)
	for name, a := range t.asked {
		for result, n := range map[string]uint64{"hit": a.hits, "miss": a.misses} {
			if a.hits+a.misses > 0 {
				o.ObserveInt64(f.introspectRequests, int64(n), metric.WithAttributes(attribute.String(issuerKey, name), attribute.String(resultKey, result)))
			}
		}
	}
}

// issuer writes what is known of one. A key set that was never fetched, or that an
// issuer does not have, has no figures.
func (f *figures) issuer(o metric.Observer, name string, i *validator.IssuerStats) {
	of := metric.WithAttributes(attribute.String(issuerKey, name))
	if i.Keys.Keys > 0 || i.Keys.Age > 0 || i.Keys.Stale {
		o.ObserveInt64(f.keys, int64(i.Keys.Keys), of)
		o.ObserveFloat64(f.keysAge, i.Keys.Age.Seconds(), of)
		o.ObserveInt64(f.keysStale, oneIf(i.Keys.Stale), of)
	}
	o.ObserveInt64(f.introspectActive, int64(i.Introspection.UnderWay), of)
	o.ObserveInt64(f.introspectWaiting, int64(i.Introspection.Waiting), of)
	o.ObserveInt64(f.introspectEntries, int64(i.Introspection.Answers), of)
}

// lists writes the sum of all lists' entries, and the age of the oldest.
func (f *figures) lists(o metric.Observer, lists []*revocation.List) {
	var entries, foreign int
	var lag float64
	var loaded, stale bool
	for _, l := range lists {
		s := l.Stats()
		entries += s.Entries
		foreign += s.Foreign
		lag, loaded = max(lag, s.Age.Seconds()), loaded || s.Loaded
		stale = stale || s.Stale || !s.Loaded
	}
	if len(lists) == 0 {
		return
	}
	o.ObserveInt64(f.revocationEntries, int64(entries))
	o.ObserveInt64(f.revocationForeign, int64(foreign))
	if loaded { // else 0 would look best of all
		o.ObserveFloat64(f.revocationLag, lag)
	}
	o.ObserveInt64(f.revocationStale, oneIf(stale))
}

func oneIf(is bool) int64 {
	if is {
		return 1
	}
	return 0
}
