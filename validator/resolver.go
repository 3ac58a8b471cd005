package validator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/m2mguard/m2mguard/internal/quote"
	"github.com/m2mguard/m2mguard/internal/turns"
	"github.com/m2mguard/m2mguard/observe"
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
	// ctx ends after 5 s, not with the request, or after half a second if others
	// need its turn more; calls for one url are shared, and so is a panic. A call
	// that does not return by then is left behind.
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

// Bounds of looking up: calls under way, and who waits for a turn. Until a
// thousand look-ups in a row found nothing, no rate holds up those that come after
// a deploy.
const (
	resolveAtOnce     = 16
	resolvePatience   = 1000
	resolveMaxWaiting = 8192
	resolveMaxWait    = 2 * time.Second
	resolveHold       = resolveMaxWait / 4 // after which a turn is taken for a source that has fewer
	resolveMaxStuck   = 64                 // calls that ignore their context's end
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
	observer observe.Observer
	room     *turns.Room
	pace     turns.Pace
	stuck    atomic.Int64
	ended    context.Context // done when close begins
	end      context.CancelFunc

	known sync.Map     // string → *issuer; written under mu
	clock atomic.Int64 // counts uses by another issuer than the last one

	mu      sync.Mutex
	count   int                  // of known
	unknown map[string]time.Time // until when
	lookups map[string]*lookup   // that wait or are under way
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
func (r *resolved) find(ctx context.Context, url, source string) (*issuer, error) {
	if i := r.remembered(url); i != nil {
		return i, nil
	}
	if url == "" || len(url) > maxIssuerURL || r.isUnknown(url) {
		return nil, unknownIssuer(url)
	}
	for {
		l, mine := r.join(ctx, url, source)
		if l == nil {
			return nil, errClosed
		}
		var refused chan struct{}
		if mine != nil {
			refused = mine.refused
		}
		select {
		case <-l.done:
			if p, ok := l.err.(*resolverPanic); ok {
				panic(p.value)
			}
			if errors.Is(l.err, errTaken) && l.turn.source != source {
				continue // the share of the source whose turn it was is not this one's
			}
			return l.issuer, l.err
		case <-refused:
			return nil, mine.err
		case <-ctx.Done():
			r.leave(l, mine)
			return nil, gaveUp(ctx)
		}
	}
}

func unknownIssuer(url string) error {
	if url == "" {
		return &Error{check: CheckIssuer, text: "the token has no iss, or an empty one", hint: noIssuer}
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

// resolve asks the Resolver, for the request with context cause.
func (r *resolved) resolve(ctx context.Context, url string, cause context.Context) (*issuer, error) {
	if i := r.remembered(url); i != nil {
		return i, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	ctx, ended := r.observer.Begin(ctx, observe.Operation{Kind: observe.Resolve, Issuer: url, Cause: cause})
	found, err := r.call(ctx, url)
	ended(err)
	switch {
	case err != nil && context.Cause(ctx) == errTaken:
		return nil, throttled(errTaken)
	case errors.Is(err, ErrUnknownIssuer):
		r.rememberUnknown(url)
		return nil, unknownIssuer(url)
	case err != nil:
		if _, panicked := err.(*resolverPanic); panicked {
			return nil, err
		}
		return nil, resolverFailed("the Resolver failed for issuer %s: %w", quote.Value(url), err)
	case found.URL != url:
		return nil, resolverFailed("the Resolver returned issuer %s for %s", quote.Beside(found.URL, url), quote.Beside(url, found.URL))
	}
	r.pace.Good(time.Now())
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

// call asks the Resolver and waits no longer than ctx, whatever it does.
func (r *resolved) call(ctx context.Context, url string) (Issuer, error) {
	if r.stuck.Load() >= resolveMaxStuck {
		return Issuer{}, errors.New("many of its calls hang beyond their context's end")
	}
	type answer struct {
		issuer Issuer
		err    error
	}
	done := make(chan answer, 1)
	r.stuck.Add(1)
	go func() {
		var a answer
		defer func() {
			if value := recover(); value != nil {
				a.err = &resolverPanic{value}
			}
			r.stuck.Add(-1)
			done <- a
		}()
		a.issuer, a.err = r.resolver.ResolveIssuer(ctx, url)
	}()
	select {
	case a := <-done:
		return a.issuer, a.err
	case <-ctx.Done():
		return Issuer{}, context.Cause(ctx)
	}
}

// rememberUnknown keeps a bounded number of refusals; a full table starts anew.
func (r *resolved) rememberUnknown(url string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.lookups[url]; l != nil && l.forgotten {
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
	case r.lookups[i.url] != nil && r.lookups[i.url].forgotten:
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
	if l := r.lookups[url]; l != nil {
		l.forgotten = true // its answer may be from before
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
	r.room.Close()
	r.end()
	r.pending.Wait()
	r.known.Range(func(_, value any) bool {
		value.(*issuer).close()
		return true
	})
}
