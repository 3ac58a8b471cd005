package introspection

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/m2mguard/m2mguard/internal/fetch"
	"github.com/m2mguard/m2mguard/internal/metadata"
	"github.com/m2mguard/m2mguard/internal/quote"
	"github.com/m2mguard/m2mguard/internal/typednil"
	"github.com/m2mguard/m2mguard/observe"
)

// The defaults of [Config], and one upper bound.
const (
	defaultPositiveLifetime = 30 * time.Second
	defaultNegativeLifetime = 10 * time.Second
	defaultCacheEntries     = 10_000
	maxCacheEntries         = 1 << 24
	defaultMaxConcurrent    = 32
	defaultMaxWaiting       = 8192
	defaultMaxWait          = 2 * time.Second
	defaultRequestTimeout   = 5 * time.Second
	defaultMaxResponseBytes = 64 << 10
	defaultSharedTimeout    = 50 * time.Millisecond
	maxSharedTimeout        = 5 * time.Second
)

// endless are the exp that real servers write for none.
var endless = []string{"0", "-1", "null"}

// inactiveStatuses are those that real servers refuse tokens with.
var inactiveStatuses = []int{400, 401, 403, 404, 410}

// Config says whom to ask, as whom, and how long an answer counts. The zero
// value of a field means its default; where "none" makes sense, a negative
// value means none.
type Config struct {
	_ [0]func()

	// Issuer is the authorization server's issuer identifier. The endpoint is
	// discovered from its metadata (introspection_endpoint, RFC 8414 §2) at the
	// first use, and again after failures. Needed unless Endpoint is set.
	Issuer string
	// Endpoint is the introspection endpoint; nothing is discovered then.
	Endpoint string
	// Auth is how this resource server authenticates. Required: an endpoint
	// that answers anybody lets anybody test tokens (RFC 7662 §4).
	Auth ClientAuth

	// Introspector, if set, asks in a way of the issuer's own, in place of a request of
	// RFC 7662. What is about that request must then be left out: Endpoint, Auth,
	// Answers, InactiveStatus, HTTPClient and DangerouslyAllowHTTP. Everything else is
	// as ever: what is remembered, who waits for whom, and the gate. Issuer is then but
	// a name for events. Default: none.
	Introspector Introspector

	// Answers, if set, proves signed answers (RFC 9701): they are asked for,
	// and an answer that is not signed counts as none. Default: plain JSON.
	// The validator sets it where Issuer.SignedAnswersFor asks for it.
	Answers AnswerVerifier

	// PositiveLifetime is how long an active answer is served again: this is
	// how long a revoked token can pass. It counts from the moment of asking
	// and never goes past the answer's exp. Default 30 s: few users notice a
	// revocation that takes half a minute, and the endpoint is asked twice a
	// minute per token instead of at every request. Negative: none.
	PositiveLifetime time.Duration
	// NegativeLifetime is how long an inactive answer is served again. Default
	// 10 s: it spares the endpoint a client that repeats a bad token, and a
	// token that was asked about too early works soon. Negative: none.
	NegativeLifetime time.Duration
	// CacheEntries bounds the active and the inactive answers, each. An active
	// answer counts once for every 4 KiB begun, so the claims held take at most
	// CacheEntries × 4 KiB; the bookkeeping takes up to 350 bytes for each
	// entry of either kind, 16 of them from the first answer on. Default 10,000:
	// at most 48 MB, and about 12 MB with answers of 500 bytes. Where there is no
	// room, a client loses the answer that it did not use for longest: most
	// likely the one for which that time, multiplied by the room that all its
	// answers take, is greatest, and sooner if the answer serves no more. So one
	// with many tokens makes room for the others, also where it means no harm:
	// there should be more entries than tokens in use. Whose an answer is, its
	// client_id says, or its sub. At most 16,777,216. Negative: none; then every
	// token is to this package one that was not seen active.
	CacheEntries int
	// RefreshAhead asks again in the background when an active answer is used
	// with less than this left, so that busy tokens never wait. Default: off,
	// because it asks up to PositiveLifetime/(PositiveLifetime−RefreshAhead)
	// times as often. Less than PositiveLifetime.
	RefreshAhead time.Duration
	// StaleIfError serves an active answer this long past its lifetime while
	// the endpoint is unavailable, never past the answer's exp. Default: off,
	// because a revoked token passes that much longer during an outage.
	StaleIfError time.Duration

	// MaxConcurrent bounds the requests under way to the endpoint for tokens
	// not seen active, and separately for those last seen active; so there are
	// at most twice as many. Default 32. Failures lower the first bound by half at
	// a time, never below 4, and each answer raises it again.
	MaxConcurrent int
	// MaxPerSecond bounds the requests per second for tokens not seen active,
	// in bursts of as many: what a flood of made-up tokens can cost the
	// endpoint. Tokens last seen active do not count; their number bounds them.
	// Default: no bound while at least one in ten of the last second's was active,
	// or fewer than 1,000 were asked about since the last that was; else 500, and
	// after 5,000 more 50. So an honest crowd is not held up, and a flood is.
	// Negative: no bound at all.
	MaxPerSecond int
	// MaxWaiting bounds the requests that wait for a turn, for tokens seen active
	// and for others each. Turns are fair by Question.Source. When nobody else may
	// wait, the newest of the source with most is refused, with ErrThrottled.
	// Default 8,192: a deploy's worth of clients, at about 1 KB each.
	MaxWaiting int
	// MaxWait bounds how long a request waits for its turn, apart from
	// RequestTimeout, which begins when it is sent. Default 2 s: longer than a
	// crowd after a deploy takes, and shorter than clients wait. Then it is refused:
	// with ErrThrottled if its source had more waiting than others, or while tokens
	// last seen active are served, else with ErrUnavailable.
	MaxWait time.Duration
	// InactiveStatus lists those of 400, 401, 403, 404 and 410 with which this
	// server says that a token is not active. Without it, such an answer refuses
	// the token for a second and is then asked for again; with it, it is
	// remembered like "active":false. In both cases only if the endpoint is seen
	// to be well for another token; before the first active one nobody can tell, and
	// the error is ErrUnavailable. The other token is asked about once a second at most,
	// so that of such answers in a row each waits for about a second where few other
	// tokens are checked.
	// Default: none.
	InactiveStatus []int

	// NoExpiry lists what this server writes as exp of an active token that does not
	// expire: some of "0", "-1" and "null", spelt so. Such an answer counts as one
	// without exp, which RFC 7662 §2.2 allows, and is good while the server calls the
	// token active. Only where it is known that the server means that: else a 0 that
	// was written by mistake would make a token good for longer. Default: none; 0 has
	// then passed, and the others are no times.
	NoExpiry []string

	// Shared is a second-level store of answers, behind what this Client remembers: one
	// instance asks, and all others that ask as the same client are served with its
	// answer for what is left of its lifetime. It is asked only about what nothing is
	// remembered of; a MaxAge goes past it; and its trouble is as if it were not there.
	// Default: none.
	Shared Shared
	// SharedAs says who asks, where Auth does not have a client id: with BearerToken, an
	// Introspector, or a ClientAuth of your own. Instances share answers only if they
	// ask the same endpoint as the same client, because a server answers each of its
	// clients what that may know.
	SharedAs string
	// SharedTimeout bounds each call of Shared: at most 5 s, default 50 ms, which is
	// many times what a store nearby takes, and less than asking the endpoint does.
	// After one that failed, or took longer, there is none for a second, unless others
	// that began later went well. 64 calls at a time look for answers, and others wait for
	// their turn, as long as MaxWait. Where this process may be stopped for as long (by a
	// limit of CPU), say 200 ms: one stop in a cold start costs a call of the endpoint for
	// each token else.
	SharedTimeout time.Duration

	// RequestTimeout bounds one introspection, from when its turn has come: client
	// authentication, sending, reading the whole answer, and a second try with a
	// rotated secret. It bounds each request of a discovery, too. Default 5 s.
	RequestTimeout time.Duration
	// MaxResponseBytes bounds an answer, decompressed. Default 64 KiB.
	MaxResponseBytes int64
	// HTTPClient sends the requests, for proxies, private roots and client
	// certificates. Its redirect policy is ignored: redirects are never
	// followed. Default: a client of our own.
	HTTPClient *http.Client
	// Observer is told of failures and recovery, at most twice per request to the
	// endpoint, on that request's goroutine, and of each request and discovery. It
	// must not call Close. Default: nobody.
	Observer observe.Observer
	// Now is the clock that judges the answers' exp. Waiting and lifetimes use
	// time.Now. Default time.Now.
	Now func() time.Time

	// DangerouslyAllowHTTP lets endpoint and issuer be plain http on any host.
	// What is lost: whoever can read the network learns tokens and client
	// secret, and whoever can write it decides which tokens are active.
	DangerouslyAllowHTTP bool
}

// withDefaults returns c with every default filled in.
func (c Config) withDefaults() Config {
	c.PositiveLifetime = orDefault(c.PositiveLifetime, defaultPositiveLifetime)
	c.NegativeLifetime = orDefault(c.NegativeLifetime, defaultNegativeLifetime)
	c.CacheEntries = orDefault(c.CacheEntries, defaultCacheEntries)
	c.MaxConcurrent = orDefault(c.MaxConcurrent, defaultMaxConcurrent)
	c.MaxWaiting = orDefault(c.MaxWaiting, defaultMaxWaiting)
	c.MaxWait = orDefault(c.MaxWait, defaultMaxWait)
	c.InactiveStatus = slices.Clone(c.InactiveStatus)
	c.NoExpiry = slices.Clone(c.NoExpiry)
	c.RequestTimeout = orDefault(c.RequestTimeout, defaultRequestTimeout)
	c.MaxResponseBytes = orDefault(c.MaxResponseBytes, defaultMaxResponseBytes)
	c.SharedTimeout = orDefault(c.SharedTimeout, defaultSharedTimeout)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func orDefault[T comparable](value, byDefault T) T {
	var zero T
	if value == zero {
		return byDefault
	}
	return value
}

// check reports every fault of a Config whose defaults are filled in.
func (c Config) check() error {
	var faults []error
	add := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("introspection: "+format, args...))
	}
	if c.Introspector != nil {
		faults = append(faults, c.ownFaults()...)
	} else {
		faults = append(faults, c.requestFaults()...)
	}
	faults = append(faults, c.sharedFaults()...)
	for _, text := range c.NoExpiry {
		if !slices.Contains(endless, text) {
			add("Config.NoExpiry holds %s, wanted some of %q", quote.Value(text), endless)
		}
	}
	if c.RefreshAhead < 0 || (c.RefreshAhead > 0 && c.RefreshAhead >= c.PositiveLifetime) {
		add("Config.RefreshAhead is %v, wanted 0 or more and less than PositiveLifetime (%v)", c.RefreshAhead, c.PositiveLifetime)
	}
	if c.StaleIfError < 0 {
		add("Config.StaleIfError is %v, wanted 0 or more", c.StaleIfError)
	}
	if c.StaleIfError > 0 && (c.PositiveLifetime < 0 || c.CacheEntries < 0) {
		add("Config.StaleIfError is %v, but no active answer is kept: PositiveLifetime or CacheEntries says none", c.StaleIfError)
	}
	if c.RefreshAhead > 0 && c.CacheEntries < 0 {
		add("Config.RefreshAhead is %v, but CacheEntries says that nothing is kept", c.RefreshAhead)
	}
	if c.CacheEntries > maxCacheEntries {
		add("Config.CacheEntries is %d, wanted at most %d", c.CacheEntries, maxCacheEntries)
	}
	if c.MaxConcurrent < 0 {
		add("Config.MaxConcurrent is %d, wanted 1 or more", c.MaxConcurrent)
	}
	if c.MaxWaiting < 0 {
		add("Config.MaxWaiting is %d, wanted 1 or more", c.MaxWaiting)
	}
	if c.MaxWait < 0 {
		add("Config.MaxWait is %v, wanted more than 0", c.MaxWait)
	}
	if c.RequestTimeout < 0 {
		add("Config.RequestTimeout is %v, wanted more than 0", c.RequestTimeout)
	}
	if c.MaxResponseBytes < 0 {
		add("Config.MaxResponseBytes is %d, wanted 1 or more", c.MaxResponseBytes)
	}
	return errors.Join(faults...)
}

// requestFaults reports what is wrong with the request of RFC 7662.
func (c Config) requestFaults() (faults []error) {
	add := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("introspection: "+format, args...))
	}
	if c.Issuer == "" && c.Endpoint == "" {
		add("Config has neither Endpoint nor Issuer, wanted one")
	}
	if c.Issuer != "" {
		check := fetch.CheckURL
		if c.Endpoint == "" {
			check = metadata.CheckIssuer
		}
		if err := check(c.Issuer, c.DangerouslyAllowHTTP); err != nil {
			add("Config.Issuer: %w", err)
		}
	}
	if c.Endpoint != "" {
		if err := fetch.CheckURL(c.Endpoint, c.DangerouslyAllowHTTP); err != nil {
			add("Config.Endpoint: %w", err)
		} else if metadata.IsDocument(c.Endpoint) {
			add("Config.Endpoint is the address of the issuer's document, wanted the endpoint, or Config.Issuer to discover it")
		}
	}
	switch auth := c.Auth.(type) {
	case nil:
		add("Config.Auth is missing: the endpoint must know who asks (RFC 7662 §2.1)")
	case interface{ faults() []error }:
		faults = append(faults, auth.faults()...)
	default:
		if typednil.Is(auth) {
			add("Config.Auth is a nil %T, wanted one that was made", auth)
		}
	}
	if typednil.Is(c.Answers) {
		add("Config.Answers is a nil %T, wanted one that was made, or none", c.Answers)
	}
	if _, byCertificate := c.Auth.(tlsClientAuth); byCertificate && c.HTTPClient == nil {
		add("Config.HTTPClient is missing: TLSClientAuth needs one that presents the client certificate (RFC 8705 §2)")
	}
	for _, status := range c.InactiveStatus {
		if !slices.Contains(inactiveStatuses, status) {
			add("Config.InactiveStatus holds %d, wanted some of %v", status, inactiveStatuses)
		}
	}
	return faults
}
