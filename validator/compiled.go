package validator

import (
	"context"
	"sync/atomic"

	"github.com/m2mguard/m2mguard/internal/memo"
	"github.com/m2mguard/m2mguard/internal/slots"
	"github.com/m2mguard/m2mguard/internal/strictjson"
	"github.com/m2mguard/m2mguard/validator/internal/cache"
	"github.com/m2mguard/m2mguard/validator/internal/fingerprint"
	"github.com/m2mguard/m2mguard/validator/internal/flights"
	"github.com/m2mguard/m2mguard/validator/internal/registry"
	"github.com/m2mguard/m2mguard/validator/internal/wheel"
)

// Validator verifies access tokens. It is safe for concurrent use, and made
// with New: a zero one, or nil, answers ErrUnavailable to everything.
type Validator struct {
	settings
	given      Config // what New got, for demands of issuers that a Resolver finds
	issuers    map[string]*issuer
	issuerURLs []string
	resolved   resolved // nil without a Resolver
	// algorithms are those of all issuers together, for refusing others before
	// the payload is read; nil where an issuer may accept any.
	algorithms []string
	// introspector is the one issuer that opaque tokens are taken to unless a prefix
	// says otherwise; nil if there is none, or if opaqueIssuer chooses.
	introspector *issuer
	prefixes     []prefixed
	opaqueIssuer func(context.Context, string) string
	// unnamed is the issuer that tokens without iss are taken to, and trustDomains
	// those that a SPIFFE ID in sub tells.
	unnamed      *issuer
	trustDomains map[string]*issuer
	domains      []string // the same, for errors
	// opaqueOnly: the one issuer has no keys, so JWTs are asked about, too.
	opaqueOnly bool
	limits     strictjson.Limits

	fingerprints *fingerprint.Maker
	cache        *cache.Cache[proof] // nil for none
	headers      *memo.Memo[header]
	flights      *flights.Group[verification, *proof]
	slots        slots.Slots   // of all issuers together
	revocations  atomic.Uint64 // counts inactive answers
	streams      *wheel.Wheel
	closed       atomic.Bool

	sampleHits uint64       // Observer.SampleHits
	open       atomic.Int64 // routes that refuse nobody
	unwatch    func()       // tells the observer of the end
}

// made reports whether v comes from New.
func (v *Validator) made() bool { return v != nil && v.fingerprints != nil }

// prefixed is where opaque tokens go that begin so.
type prefixed struct {
	prefix string
	issuer *issuer
}

// resolved are the issuers that a Resolver found. Only a token that was accepted
// counts as a use of its issuer, so garbage in the name of idle ones keeps none of
// them in the place of one that is busy.
//
// It is an interface since a generic type in a struct is compiled again by every
// package that imports this one.
type resolved interface {
	Find(ctx context.Context, url, source string) (*issuer, error)
	Held(url string) (*issuer, bool)
	Forget(url string)
	All(yield func(*issuer) bool)
	Waiting() int
	Working() int
	Close()
}

var _ resolved = (*registry.Registry[Issuer, *issuer])(nil)
