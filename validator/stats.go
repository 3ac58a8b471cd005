package validator

import (
	"cmp"
	"slices"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
)

// Stats is a snapshot, for gauges and counters that are asked now and then.
type Stats struct {
	// Hits and Misses count requests with a token's text since New: those whose
	// proof was remembered, and the others, refused ones included.
	Hits, Misses uint64
	// CacheEntries is how many proofs the verified-token cache holds, of which some
	// may have ended; CacheSize is how many it can hold.
	CacheEntries, CacheSize int
	// Streams is how many contexts of Live have not ended.
	Streams int
	// Verifying is how many signatures are being verified, and VerifyWaiting how
	// many wait for a slot (Config.VerifySlots).
	Verifying, VerifyWaiting int
	// Resolved is how many resolved issuers are held (Config.MaxResolved), and
	// LookupsWaiting how many wait for a call of Config.Resolver; LookupsUnderWay
	// are such calls.
	Resolved, LookupsWaiting, LookupsUnderWay int
	// OpenRoutes is how many routes refuse nobody (httpauth's DangerouslyReportOnly).
	OpenRoutes int
	// Proofs counts proofs of possession; zero without Config.DPoP.
	Proofs dpop.Stats
	// Issuers are the configured ones and then those that were resolved, each by
	// URL.
	Issuers []IssuerStats
}

// IssuerStats is the part of Stats about one issuer.
type IssuerStats struct {
	URL string
	// Resolved says that Config.Resolver found it.
	Resolved bool
	// Keys is about the key set; zero for an issuer without Keys, unless its
	// answers are signed.
	Keys jwks.Stats
	// Introspection is about the requests to the endpoint; zero without one.
	Introspection introspection.Stats
}

// Stats tells how v is doing. It takes a few locks for a moment and makes no
// request. What it counts at the same time may differ by what happened in between.
func (v *Validator) Stats() Stats {
	if !v.made() {
		return Stats{}
	}
	var s Stats
	s.Hits, s.Misses = v.fingerprints.Counted()
	if v.cache != nil {
		s.CacheEntries, s.CacheSize = v.cache.Len(), v.cache.Size()
	}
	s.Streams = v.streams.Len()
	s.Verifying = v.slots.Working()
	s.VerifyWaiting = v.slots.Waiting()
	s.OpenRoutes = int(v.open.Load())
	s.Proofs = v.proofs.Stats()
	for _, url := range v.issuerURLs {
		s.add(v.issuers[url])
	}
	if r := v.resolved; r != nil {
		s.LookupsWaiting, s.LookupsUnderWay = r.Waiting(), r.Working()
		resolved := slices.SortedFunc(r.All, func(a, b *issuer) int { return cmp.Compare(a.url, b.url) })
		s.Resolved = len(resolved)
		for _, i := range resolved {
			s.add(i)
		}
	}
	return s
}

func (s *Stats) add(i *issuer) {
	one := IssuerStats{URL: i.url, Resolved: i.lastUse != nil}
	if keys := cmp.Or(i.keys, i.answerKeys); keys != nil {
		one.Keys = keys.Stats()
	}
	if i.introspection != nil {
		one.Introspection = i.introspection.Stats()
	}
	s.VerifyWaiting += i.slots.Waiting()
	s.Issuers = append(s.Issuers, one)
}
