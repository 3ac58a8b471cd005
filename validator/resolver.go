package validator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
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
	// ctx ends after 5 s, not with the request; calls for one url are shared.
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
// for the rate of new look-ups.
type resolved struct {
	resolver Resolver
	compile  func(Issuer) (*issuer, error)
	limit    int
	limiter  *rate.Limiter
	flight   singleflight.Group

	known sync.Map // string → *resolvedIssuer; written under mu

	mu      sync.Mutex
	count   int
	unknown map[string]time.Time // until when
	closed  bool
	pending sync.WaitGroup
	clock   atomic.Int64 // counts uses, to find the one unused for longest
}

type resolvedIssuer struct {
	*issuer
	used atomic.Int64
}

// find returns the issuer with this URL, from memory or from the Resolver.
func (r *resolved) find(ctx context.Context, url string) (*issuer, error) {
	if i := r.remembered(url); i != nil {
		return i, nil
	}
	if len(url) > maxIssuerURL || r.isUnknown(url) {
		return nil, unknownIssuer(url)
	}
	results := r.flight.DoChan(url, func() (any, error) { return r.resolve(url) })
	select {
	case result := <-results:
		if result.Err != nil {
			return nil, result.Err
		}
		return result.Val.(*issuer), nil
	case <-ctx.Done():
		return nil, gaveUp(ctx)
	}
}

func unknownIssuer(url string) error {
	return &Error{check: CheckIssuer, text: "the Resolver knows no such issuer", got: []string{url}}
}

func (r *resolved) remembered(url string) *issuer {
	found, ok := r.known.Load(url)
	if !ok {
		return nil
	}
	i := found.(*resolvedIssuer)
	i.used.Store(r.clock.Add(1))
	return i.issuer
}

func (r *resolved) isUnknown(url string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	until, ok := r.unknown[url]
	return ok && time.Now().Before(until)
}

// resolve asks the Resolver. It runs once for all who wait for url.
func (r *resolved) resolve(url string) (*issuer, error) {
	if !r.begin() {
		return nil, errClosed
	}
	defer r.pending.Done()
	if i := r.remembered(url); i != nil {
		return i, nil
	}
	if !r.limiter.Allow() {
		return nil, &Error{check: CheckUnavailable, retryAfter: time.Second, text: "too many new issuers are being looked up (Config.ResolvesPerSecond)"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	found, err := r.resolver.ResolveIssuer(ctx, url)
	switch {
	case errors.Is(err, ErrUnknownIssuer):
		r.rememberUnknown(url)
		return nil, unknownIssuer(url)
	case err != nil:
		return nil, unavailable(0, fmt.Errorf("the Resolver failed for issuer %+q: %w", url, err))
	case found.URL != url:
		return nil, unavailable(0, fmt.Errorf("the Resolver returned issuer %+q for %+q", found.URL, url))
	}
	i, err := r.compile(found)
	if err != nil {
		return nil, unavailable(0, fmt.Errorf("the Resolver returned a wrong configuration: %w", err))
	}
	return i, r.remember(i)
}

// begin reports whether a look-up may still start.
func (r *resolved) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.pending.Add(1)
	return true
}

// rememberUnknown keeps a bounded number of refusals; a full table starts anew.
func (r *resolved) rememberUnknown(url string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.unknown) >= maxUnknown {
		clear(r.unknown)
	}
	r.unknown[url] = time.Now().Add(unknownFor)
}

// remember keeps i, in the place of the one unused for longest if need be.
func (r *resolved) remember(i *issuer) error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		i.close()
		return errClosed
	}
	var oldest *resolvedIssuer
	if r.count >= r.limit {
		r.known.Range(func(_, value any) bool {
			if c := value.(*resolvedIssuer); oldest == nil || c.used.Load() < oldest.used.Load() {
				oldest = c
			}
			return true
		})
		r.known.Delete(oldest.url)
		r.count--
	}
	entry := &resolvedIssuer{issuer: i}
	entry.used.Store(r.clock.Add(1))
	r.known.Store(i.url, entry)
	r.count++
	r.mu.Unlock()
	if oldest != nil {
		oldest.close() // outside the lock: it waits for fetches under way
	}
	return nil
}

func (r *resolved) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.pending.Wait()
	r.known.Range(func(_, value any) bool {
		value.(*resolvedIssuer).close()
		return true
	})
}
