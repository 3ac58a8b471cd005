package validator

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/m2mguard/m2mguard/internal/jws"
)

// headerMemo remembers what verified header segments mean. All tokens of one
// key share their header, so a handful of entries spares almost every first
// sight the decoding. Only a header whose signature verified enters, so nobody
// else can fill it; what it says is still checked against the issuer each time.
type headerMemo struct {
	known atomic.Pointer[map[string]header]
	mu    sync.Mutex // for put
}

// Bounds of the memo: issuers times keys, and a plain header's length.
const (
	maxHeaders     = 256
	maxHeaderChars = 1024
)

func (m *headerMemo) get(segment string) (header, bool) {
	known := m.known.Load()
	if known == nil {
		return header{}, false
	}
	h, ok := (*known)[segment]
	return h, ok
}

// put copies the map: it happens once for each key of an issuer. A full memo
// starts anew.
func (m *headerMemo) put(segment string, h header) {
	if len(segment) > maxHeaderChars {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	next := make(map[string]header, 1)
	if known := m.known.Load(); known != nil && len(*known) < maxHeaders {
		next = maps.Clone(*known)
	}
	next[strings.Clone(segment)] = h.clone()
	m.known.Store(&next)
}

// clone lets go of the token, whose pieces h's strings are.
func (h header) clone() header {
	h.Algorithm, h.KeyID, h.Type = strings.Clone(h.Algorithm), strings.Clone(h.KeyID), strings.Clone(h.Type)
	h.canonical = jws.Canonical(h.Algorithm)
	return h
}
