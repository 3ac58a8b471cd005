package validator

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/internal/typednil"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
)

// Defaults of Config.
const (
	DefaultClockSkew     = 30 * time.Second
	DefaultMaxTokenBytes = 16 << 10
	DefaultCacheEntries  = 10_000
)

const (
	maxClockSkew             = 5 * time.Minute
	maxCacheEntries          = 1 << 24
	defaultVerifyWait        = time.Second
	defaultMaxResolved       = 1000
	defaultResolvesPerSecond = 10
)

// Config is what one process has once. Only Issuers, or a Resolver, is required.
// The zero value of each field means its default; where "none" makes sense, a
// negative value means none.
type Config struct {
	_ [0]func()

	// Issuers are the authorization servers whose tokens are accepted. A token
	// is held against the one that its iss names and against no other.
	Issuers []Issuer

	// Resolver finds issuers beyond Issuers, by the iss of a token, for APIs
	// whose issuers are known only at run time. Default: none.
	Resolver Resolver

	// MaxResolved bounds how many resolved issuers are held, each with its own
	// keys. Default 1,000; the one unused for longest goes, and its next token
	// needs the Resolver and the keys anew. It should be above the number of
	// issuers that are in use at one time.
	MaxResolved int

	// ResolvesPerSecond bounds the calls of Resolver a second while nearly all of
	// them find nothing, as made-up issuers make them: when fewer than one in ten
	// of the last second's found an issuer, and 1,000 were made since the last that
	// did. Default 10. At most 16 are under way at once; up to 8,192 tokens wait
	// for a turn, for 2 s at most, fairly by Request.Source. Issuers that are held
	// notice nothing of it.
	ResolvesPerSecond int

	// OpaqueIssuer chooses the issuer, by its URL, that an opaque token is
	// taken to: such a token names none, and showing it to each would show it to
	// strangers. It, or Issuer.OpaquePrefix in its place, is needed if several
	// issuers have Introspection. It gets the request's context and the token, which
	// it must not keep or log; an empty answer refuses the token. It is asked at every
	// request, so it should answer from memory.
	OpaqueIssuer func(ctx context.Context, token string) string

	// DPoP has tokens accepted that are bound to a key (RFC 9449), with a proof for
	// each request. The adapters need the API's public URL then, such as
	// httpauth.Config.PublicURL. Its Now is Config.Now unless it has one. Default none,
	// which refuses such tokens.
	DPoP *dpop.Config

	// Revocations refuses tokens at each request that the list holds something against,
	// remembered ones and JWTs, too, and ends what [Validator.Live] watches. It may be
	// several validators', must outlive this one, and is filled and closed by whoever
	// made it. Each remembered token takes 150 bytes more. Default none.
	Revocations *revocation.List

	// ClockSkew is how far this clock and an issuer's may differ: a token is
	// accepted that long after exp and that long before nbf. Default 30 s, at
	// most 5 min, negative for none. Longer than half a minute mostly prolongs
	// the life of stolen tokens.
	ClockSkew time.Duration

	// MaxTokenBytes is the longest token that is looked at. Default 16 KiB,
	// twice what common servers take as a header line; 256 to 1 MiB. How many
	// members and elements a token may hold grows with it: by default 400 and
	// 1,200, so that refusing one stays cheap whatever is in it.
	MaxTokenBytes int

	// CacheEntries bounds the verified-token cache. Default 10,000, at most
	// 16,777,216, negative for no cache. Each entry takes about 700 bytes and
	// what the token says: its payload or its introspection answer, 16 bytes for each
	// audience, scope and role, and 128 for each of its authorization details. Most
	// say far less than MaxTokenBytes, and one that says more is kept as long as what
	// the others leave is enough. So memory is at most CacheEntries × (MaxTokenBytes +
	// 700 B), and it is about 15 MB for ten thousand usual tokens.
	CacheEntries int

	// VerifySlots is how many signatures of one issuer's tokens are verified at
	// once, and half of how many of all issuers' together; keys that cost far more
	// than the usual ones (RSA above 3072 bits, P-384, P-521) get a quarter as many
	// of their own. Default 4 for each processor (GOMAXPROCS). Tokens in the cache
	// need no slot.
	VerifySlots int

	// VerifyWait is how long a token waits for such a slot, fairly by
	// Request.Source, before the answer is ErrUnavailable, or ErrThrottled for a
	// source that has more tokens waiting than its share. At most 8,192 wait.
	// Default 1 s, negative for no wait.
	VerifyWait time.Duration

	// Now judges exp and nbf. Default time.Now. It concerns token times alone:
	// waiting and refreshing go by the process's clock.
	Now func() time.Time

	// Observer is told what an operator may want to know: refused requests, what
	// concerns issuers, and, if it asks, accepted requests and each call that touches
	// a network. It is called on the request's goroutine or a background one, must
	// not block, nor call Close or ForgetIssuer, which wait for it, and never gets
	// token material. Default: LogEvents(slog.Default()), also in the place of an
	// Observer whose Event is nil. An observer of your own takes the place of that
	// log, and nobody sees a wrong audience then:
	//
	//	observe.Join(validator.LogEvents(nil), yours)
	//
	// has both.
	Observer observe.Observer
}

// Issuer is one authorization server, and how its tokens are proven: by Keys
// (JWTs by signature; the default), by Introspection (every token is asked
// about, and no key is fetched), or by both (JWTs by signature, opaque tokens by
// introspection, told apart by shape). A token that fails its proof is never
// tried with the other one.
//
// What begins with a JOSE header is never opaque: three parts are a JWT, five an
// encrypted token, which is asked about where opaque ones are, and anything else
// is refused and shown to nobody. So is a JWT of an introspected issuer whose
// header or payload is no strict JSON object.
type Issuer struct {
	_ [0]func()

	// URL is the issuer identifier: what iss must be, byte for byte, and where
	// keys and endpoints are discovered unless Keys or Introspection say where.
	// Required.
	URL string

	// Audience lists the names of this API, one of which must be in aud.
	// Required; RFC 8725 §3.9 tells why.
	Audience []string

	// DangerouslyAcceptMissingAudience accepts tokens and introspection answers
	// without any aud. What is lost: a token that the issuer meant for another
	// API is accepted here, too. An aud that is there must still hold one of
	// Audience, which may then be empty.
	DangerouslyAcceptMissingAudience bool

	// DangerouslyAcceptMissingIssuer takes JWTs without iss for this issuer's, as
	// some servers write them; null is none. One issuer of a Config may have it, and
	// none beside a Resolver. What is lost: nothing in such a token says who issued
	// it, so that whatever else is signed with this issuer's keys and has no iss (of
	// another tenant or of another kind, say) is held apart by Audience, Clients and
	// Profile alone. A token with any iss but URL is still refused, and an empty one is
	// another.
	DangerouslyAcceptMissingIssuer bool

	// TrustDomain is for SPIFFE, whose JWT-SVIDs have no iss: such a JWT is this
	// issuer's if its sub is a workload's SPIFFE ID in this trust domain, such as
	// "spiffe://example.org/billing" for "example.org", byte for byte (SPIFFE-ID §2).
	// With it, every token of this issuer, an introspected one and one with URL as its
	// iss included, must have such a sub. Several issuers may have one each; those of
	// a Resolver are found by iss alone. Empty means none.
	TrustDomain string

	// MaxTokenLifetime is how long a token may be good for, from its iat to its exp,
	// in a JWT and in an introspection answer; each must then be there, and iat no more
	// than Config.ClockSkew in the future. It bounds what a stolen token is worth where
	// the issuer does not. Zero means any.
	MaxTokenLifetime time.Duration

	// Binding says whether bearer tokens are accepted, too. Default BindingByToken. A
	// token that is bound to its sender's certificate (RFC 8705) or key (RFC 9449) is
	// accepted with its proof and never without, whatever this says.
	Binding Binding

	// OpaquePrefix lists what this issuer's opaque tokens begin with, such as "ghs_",
	// where several issuers have Introspection: such tokens are shown to it and to
	// nobody else. One issuer with Introspection may have none, and gets those that
	// begin with nobody's; if each has some, those are refused. A prefix that begins
	// with another issuer's is a fault. So is one beside Config.OpaqueIssuer.
	OpaquePrefix []string

	// Clients lists the client ids whose tokens are accepted. Nil means every
	// client that the issuer issues tokens to for this API.
	Clients []string

	// AppOnly refuses tokens that were issued to a user. It needs a Profile
	// whose App can tell; New refuses it where nothing could.
	AppOnly bool

	// Algorithms lists the accepted signature algorithms, out of RS256, RS384,
	// RS512, PS256, PS384, PS512, ES256, ES384, ES512 and EdDSA (that is Ed25519,
	// under either name). Default RS256, PS256, ES256 and EdDSA.
	Algorithms []string

	// Profile says how this issuer writes its tokens. The zero value is the
	// plain form; RFC9068() the strict one.
	Profile Profile

	// Keys says where the issuer's keys come from. Nil means discovery from
	// URL, or no keys at all if Introspection is set.
	Keys *jwks.Config

	// Introspection says how to ask the issuer about a token (RFC 7662, or in a way
	// of the issuer's own).
	Introspection *introspection.Config

	// SignedAnswersFor makes Introspection ask for signed answers (RFC 9701)
	// and accept no others. It is the client id that this API has at the issuer,
	// which must be in the answer's aud. The keys are those of Keys, or
	// discovered from URL by way of Introspection.HTTPClient. Empty means plain
	// answers.
	SignedAnswersFor string

	// DangerouslyAcceptAnswerID accepts introspection answers whose jti is not
	// that of the JWT that VerifyFresh asked about, as a few servers write them.
	// What is lost: an answer about another token of the same client, recorded
	// while that one was active, counts for a revoked one.
	DangerouslyAcceptAnswerID bool

	// DangerouslyAllowHTTP allows http to hosts other than loopback for this
	// issuer's URL and endpoints. What is lost: whoever is on the path can
	// supply keys, read credentials, and so make any token good.
	DangerouslyAllowHTTP bool

	place      int                             // in Config.Issuers, from 1; 0 for a Resolver's
	refusals   []string                        // see Refuse
	conditions []func(*Token) error            // see Insist
	demands    []func(Config, Issuer) []string // see InsistOnConfig
}

// defaultAlgorithms are what issuers use by default; the others cost more or
// need asking for.
var defaultAlgorithms = []string{"RS256", "PS256", "ES256", "EdDSA"}

// settings is a Config with every default filled in.
type settings struct {
	skew        time.Duration
	maxToken    int
	entries     int // 0 for none
	verifySlots int
	verifyWait  time.Duration
	now         func() time.Time
	observer    observe.Observer
	proofs      *dpop.Verifier   // nil for none
	revoked     *revocation.List // nil for none
	log         *eventLog        // the default observer, which ends with the Validator; or nil
}

// settle fills in defaults and reports every fault outside Issuers.
func (c *Config) settle() (settings, []error) {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("validator: Config."+format, args...))
	}
	s := settings{
		skew:        orDefault(c.ClockSkew, DefaultClockSkew),
		maxToken:    c.MaxTokenBytes,
		entries:     orDefault(c.CacheEntries, DefaultCacheEntries),
		verifySlots: c.VerifySlots,
		verifyWait:  orDefault(c.VerifyWait, defaultVerifyWait),
		now:         c.Now,
		observer:    c.Observer,
		revoked:     c.Revocations,
	}
	if s.revoked != nil && s.revoked.Generation() == 0 {
		fault("Revocations is a zero List, which lets nobody in: wanted one that revocation.New made, or none")
	}
	if s.skew > maxClockSkew {
		fault("ClockSkew is %v, wanted at most %v", c.ClockSkew, maxClockSkew)
	}
	switch {
	case s.maxToken == 0:
		s.maxToken = DefaultMaxTokenBytes
	case s.maxToken < 256 || s.maxToken > 1<<20:
		fault("MaxTokenBytes is %d, wanted 256 to 1,048,576, or 0 for %d", c.MaxTokenBytes, DefaultMaxTokenBytes)
	}
	if s.entries > maxCacheEntries {
		fault("CacheEntries is %d, wanted at most %d", c.CacheEntries, maxCacheEntries)
	}
	switch {
	case s.verifySlots == 0:
		s.verifySlots = 4 * runtime.GOMAXPROCS(0)
	case s.verifySlots < 0:
		fault("VerifySlots is %d, wanted at least 1, or 0 for the default", c.VerifySlots)
	}
	if typednil.Is(c.Resolver) {
		fault("Resolver is a nil %T, wanted one that was made, or none", c.Resolver)
	}
	if c.MaxResolved < 0 {
		fault("MaxResolved is %d, wanted at least 1, or 0 for %d", c.MaxResolved, defaultMaxResolved)
	}
	if c.ResolvesPerSecond < 0 {
		fault("ResolvesPerSecond is %d, wanted at least 1, or 0 for %d", c.ResolvesPerSecond, defaultResolvesPerSecond)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if c.DPoP != nil {
		proofs := *c.DPoP
		if proofs.Now == nil {
			proofs.Now = s.now
		}
		var err error
		if s.proofs, err = dpop.New(proofs); err != nil {
			fault("DPoP: %w", err)
		}
	}
	if s.observer.Event == nil {
		s.log = new(eventLog)
		s.observer.Event = s.log.event
	}
	return s, faults
}

// orDefault applies the rule of zero and negative values.
func orDefault[T int | time.Duration](value, byDefault T) T {
	if value == 0 {
		return byDefault
	}
	return max(value, 0)
}
