package jwks

import "time"

// Stats is a snapshot of a key set.
type Stats struct {
	// Keys is how many keys can be used now; 0 before the first fetch, past MaxStale,
	// and where a set has aged unused and will be fetched when it is needed.
	Keys int
	// Age is how long ago the last good fetch ended; 0 before it and for a fixed set.
	Age time.Duration
	// Stale says that the set is past its age and cannot be refreshed.
	Stale bool
}

// Stats tells how s is doing. It makes no request, and does not count as a use.
func (s *KeySet) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := Stats{Stale: s.stale}
	if set := s.serving.Load(); set != nil {
		stats.Keys = len(set.keys)
	}
	if !s.fetched.IsZero() {
		stats.Age = time.Since(s.fetched)
	}
	return stats
}
