package validator

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"sync/atomic"
	"time"
	"weak"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/validator/internal/cache"
)

// proof is what the cache remembers of a token: what it says, and what proved
// it. It is a fact, not a decision: whether the proof still holds is asked anew
// at every hit.
type proof struct {
	stated
	// notBefore and notAfter are nbf and exp with the clock skew applied; the
	// zero time means no bound.
	notBefore, notAfter time.Time
	// issuer is whose token it is, key what verified a JWT; nil for an
	// introspected token.
	issuer *issuer
	key    *jwks.Key
	// chosen: the token is opaque, and Config.OpaqueIssuer chose the issuer.
	chosen bool
	// marks are what the token can be revoked by; nil without Config.Revocations.
	marks *revocation.Marks
	// tokenHash is ath of a proof of possession for a token that is bound to a key, and
	// holder is with whose proofs it is counted: a client can have any number of keys.
	tokenHash, holder string
	// until is when introspection's own result ends, by the process's clock, and
	// answer that result itself: whoever asks again and gets it need not read it.
	until  time.Time
	answer weak.Pointer[introspection.Result]
	// confirmed is the last answer about a JWT, for VerifyFresh.
	confirmed atomic.Pointer[confirmation]
}

// mark notes what the token raw can be revoked by, before others see the proof. own is
// what a JWT says of itself that was asked about, or nil.
func (p *proof) mark(l *revocation.List, raw string, own *ownWord) {
	t := revocation.Token{
		Issuer: p.issuer.url, Client: p.said.clientID, Subject: p.said.subject, IssuedAt: p.said.issuedAt,
	}
	switch {
	case p.key != nil:
		t.ID, t.KeyID = p.said.id, p.key.ID()
	case own != nil:
		t.ID = own.id
	default: // an opaque token has no word of its own: its answer's jti is all that names it
		t.ID, t.Opaque = p.said.id, raw
	}
	p.marks = new(revocation.Marks)
	l.Mark(p.marks, &t)
}

// kept is a proof with its place in the cache.
type kept = cache.Entry[proof]

// sighting is what is known of a token that has a proof.
func (p *proof) sighting() *sighting {
	s := p.said.sighting(p.issuer.url)
	s.proven = true
	return &s
}

// size is about how many bytes what the token says takes, and no less.
func (p *proof) size() int {
	t := &p.said
	n := cap(t.claims) + t.beside + t.bound.size() + len(p.tokenHash) + len(p.holder) + stringHeader*(cap(t.audience)+cap(t.roles)+t.scopes.Len()) + t.delegation.size()
	if bytes.IndexByte(t.claims, '\\') >= 0 {
		n += len(t.claims) / 2 // strings with escapes are copies, at most half as long
	}
	return n
}

// verification is what callers must have in common to share one: the token, and
// the rules and the keys that it is held against. Whoever comes after an issuer
// was configured anew, or a key replaced, shares nothing with those before.
type verification struct {
	id     cache.ID
	issuer *issuer
	keys   several
}

// confirmation is an answer that was checked for a JWT, and what of it is checked
// at each request.
type confirmation struct {
	answer weak.Pointer[introspection.Result]
	times  times
	// differs: its aud is another than the JWT's, which is what a route that narrows
	// them is held against later; it is read again there.
	differs bool
}

// several are keys of which one is to verify, as part of what a verification is.
type several [jwks.MaxCandidates]*jwks.Key

func severalOf(keys []*jwks.Key) (s several) {
	copy(s[:], keys)
	return s
}

// bindTo notes what each request with the token raw needs, which is bound to a key.
func (p *proof) bindTo(key, raw string) {
	sum := sha256.Sum256([]byte(raw))
	p.tokenHash = base64.RawURLEncoding.EncodeToString(sum[:]) // RFC 9449 §4.2
	p.holder = p.said.issuer + "\x00" + cmp.Or(p.said.clientID, p.said.subject, key)
}
