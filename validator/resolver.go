package validator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"github.com/m2mguard/m2mguard/internal/quote"
)

// Resolver finds issuers that are known only at run time, such as the
// authorization servers of an API's own customers.
type Resolver interface {
	// ResolveIssuer returns the issuer whose URL is url, or an error that
	// wraps ErrUnknownIssuer if there is none. Any other error means that this
	// cannot be told now, and is answered with ErrUnavailable.
	//
	// url is what an unverified token claims: look it up among issuers that
	// were registered before, never fetch from it or derive trust from its form.
	// ctx ends after 5 s, not with the request; calls for one url are shared,
	// and so is a panic.
	//
	// The answer is kept for as long as the issuer's tokens come in: when a
	// customer is removed, or its issuer configured anew, call
	// Validator.ForgetIssuer.
	ResolveIssuer(ctx context.Context, url string) (Issuer, error)
}

// ErrUnknownIssuer is what a Resolver returns for a URL that it does not know.
var ErrUnknownIssuer = errors.New("unknown issuer")

// Bounds of what made-up issuers can cost.
const (
	maxIssuerURL   = 2048
	resolveTimeout = 5 * time.Second
	unknownFor     = 10 * time.Second // how long a refusal is remembered
	maxUnknown     = 1000
)

// resolved holds the issuers that a Resolver found. Only those that exist
// enter, so a flood of made-up ones pushes out none of them; it competes only
// for the rate of new look-ups. And only a token that was accepted counts as a
// use of its issuer, so garbage in the name of idle ones keeps none of them in
// the place of one that is busy.
type resolved struct {
	resolver Resolver
	compile  func(Issuer) (*issuer, error)
	limit    int
	limiter  *rate.Limiter
	flight   singleflight.Group
	ended    context.Context // done when close begins
	end      context.CancelFunc

	known sync.Map     // string → *issuer; written under mu
	clock atomic.Int64 // counts uses by another issuer than the last one

	mu      sync.Mutex
	count   int                  // of known
	unknown map[string]time.Time // until when
	asking  map[string]bool      // look-ups under way; true: not to be remembered
	closed  bool
	pending sync.WaitGroup // look-ups, and what they close
}

// lastUse tells when a resolved issuer was used. The clock moves on only when
// the issuer used is another one than the last, so that a run of tokens of one
// issuer writes nothing.
type lastUse struct {
	clock *atomic.Int64
	stamp atomic.Int64
}

// used notes that a token of i was accepted.
func (i *issuer) used() {
	if i.lastUse == nil {
		return // configured, not resolved
	}
	if i.lastUse.stamp.Load() != i.lastUse.clock.Load() {
		i.lastUse.stamp.Store(i.lastUse.clock.Add(1))
	}
}

// ForgetIssuer drops what Config.Resolver said of url, and every proof that was
// made with that issuer: the next token that names it asks the Resolver again.
// It ends what was started for the issuer and waits for it, so Config.Observer
// must not call it. Issuers in Config.Issuers stay.
func (v *Validator) ForgetIssuer(url string) {
	if v.made() && v.resolved != nil {
		v.resolved.forget(url)
	}
}

// find returns the issuer with this URL, from memory or from the Resolver.
func (r *resolved) find(ctx context.Context, url string) (*issuer, error) {
	if i := r.remembered(url); i != nil {
		return i, nil
	}
	if url == "" || len(url) > maxIssuerURL || r.isUnknown(url) {
		return nil, unknownIssuer(url)
	}
	url = strings.Clone(url) // it is a piece of the token, which is not to be kept
	results := r.flight.DoChan(url, func() (_ any, err error) {
		defer func() {
			if value := recover(); value != nil {
				err = &resolverPanic{value}
			}
		}()
		return r.resolve(url)
	})
	select {
	case result := <-results:
		if p, ok := result.Err.(*resolverPanic); ok {
			panic(p.value)
		}
		if result.Err != nil {
			return nil, result.Err
		}
		return result.Val.(*issuer), nil
	case <-ctx.Done():
		return nil, gaveUp(ctx)
	}
}

// resolverPanic takes a panic of the Resolver to the requests that wait for it:
// there net/http recovers it, and here nobody could.
type resolverPanic struct{ value any }

func (p *resolverPanic) Error() string { return "the Resolver panicked" }

func unknownIssuer(url string) error {
	if url == "" {
		return &Error{check: CheckIssuer, text: "the token has no iss, or an empty one", hint: issuerFix("", "")}
	}
	return &Error{check: CheckIssuer, text: "the Resolver knows no such issuer", got: []string{url}, hint: "Config.Resolver; iss is looked up byte for byte"}
}

func (r *resolved) remembered(url string) *issuer {
	found, ok := r.known.Load(url)
	if !ok {
		return nil
	}
	return found.(*issuer)
}

func (r *resolved) isUnknown(url string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	until, ok := r.unknown[url]
	return ok && time.Now().Before(until)
}

// resolve asks the Resolver. It runs once for all who wait for url.
func (r *resolved) resolve(url string) (*issuer, error) {
	if !r.begin(url) {
		return nil, errClosed
	}
	defer r.done(url)
	if i := r.remembered(url); i != nil {
		return i, nil
	}
	if !r.limiter.Allow() {
		return nil, &Error{check: CheckUnavailable, retryAfter: time.Second, text: "too many new issuers are being looked up (Config.ResolvesPerSecond)"}
	}
	ctx, cancel := context.WithTimeout(r.ended, resolveTimeout)
	defer cancel()
	found, err := r.resolver.ResolveIssuer(ctx, url)
	switch {
	case errors.Is(err, ErrUnknownIssuer):
		r.rememberUnknown(url)
		return nil, unknownIssuer(url)
	case err != nil:
		return nil, resolverFailed("the Resolver failed for issuer %s: %w", quote.Value(url), err)
	case found.URL != url:
		return nil, resolverFailed("the Resolver returned issuer %s for %s", quote.Beside(found.URL, url), quote.Beside(url, found.URL))
	}
	i, err := r.compile(found)
	if err != nil {
		return nil, resolverFailed("the Resolver returned a wrong configuration: %w", err)
	}
	if err := r.remember(i); err != nil {
		i.close()
		return nil, err
	}
	return i, nil
}

func resolverFailed(format string, args ...any) *Error {
	e := unavailable(0, fmt.Errorf(format, args...))
	e.hint = "Config.Resolver"
	return e
}

// begin reports whether a look-up may still start.
func (r *resolved) begin(url string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.pending.Add(1)
	r.asking[url] = false
	return true
}

func (r *resolved) done(url string) {
	r.mu.Lock()
	delete(r.asking, url)
	r.mu.Unlock()
	r.pending.Done()
}

// rememberUnknown keeps a bounded number of refusals; a full table starts anew.
func (r *resolved) rememberUnknown(url string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asking[url] {
		return
	}
	if len(r.unknown) >= maxUnknown {
		clear(r.unknown)
	}
	r.unknown[url] = time.Now().Add(unknownFor)
}

// remember keeps i, in the place of the one unused for longest if need be.
func (r *resolved) remember(i *issuer) error {
	r.mu.Lock()
	switch {
	case r.closed:
		r.mu.Unlock()
		return errClosed
	case r.asking[i.url]:
		r.mu.Unlock()
		return &Error{check: CheckUnavailable, retryAfter: time.Second, text: "ForgetIssuer was called while the issuer was being looked up"}
	}
	var oldest *issuer
	if r.count >= r.limit {
		r.known.Range(func(_, value any) bool {
			if c := value.(*issuer); oldest == nil || c.lastUse.stamp.Load() < oldest.lastUse.stamp.Load() {
				oldest = c
			}
			return true
		})
		r.known.Delete(oldest.url)
		r.count--
	}
	i.lastUse = &lastUse{clock: &r.clock}
	i.lastUse.stamp.Store(r.clock.Add(1))
	r.known.Store(i.url, i)
	r.count++
	r.mu.Unlock()
	if oldest != nil {
		oldest.close() // outside the lock: it waits for fetches under way
	}
	return nil
}

func (r *resolved) forget(url string) {
	r.mu.Lock()
	delete(r.unknown, url)
	if _, underWay := r.asking[url]; underWay {
		r.asking[url] = true // its answer may be from before
	}
	found, ok := r.known.LoadAndDelete(url)
	if ok {
		r.count--
	}
	r.mu.Unlock()
	if ok {
		found.(*issuer).close()
	}
}

func (r *resolved) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.end()
	r.pending.Wait()
	r.known.Range(func(_, value any) bool {
		value.(*issuer).close()
		return true
	})
}
