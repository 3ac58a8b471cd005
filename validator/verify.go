package validator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator/internal/cache"
	"github.com/m2mguard/m2mguard/validator/internal/flights"
)

// Verify proves raw, an access token without its scheme, and returns what it
// says. The error is an *Error and matches exactly one of ErrMissingToken (raw
// is empty), ErrInvalidRequest (raw is not a token's text), ErrInvalidToken,
// ErrThrottled and ErrUnavailable. All callers of Verify are one source to
// ErrThrottled; VerifyRequest tells them apart.
//
// ctx bounds only this caller's waiting: a fetch or a verification that others
// wait for goes on when it ends.
func (v *Validator) Verify(ctx context.Context, raw string) (*Token, error) {
	a, err := v.VerifyRequest(ctx, &Request{Token: raw}, nil)
	return a.Token, err
}

// verify finds a proof that holds, or makes one, and says which.
func (v *Validator) verify(ctx context.Context, raw string, a asked) (*proof, observe.Way, error) {
	if !v.made() {
		return nil, "", errNotMade
	}
	if len(raw) > v.maxToken {
		return nil, "", &Error{check: CheckSize, text: fmt.Sprintf("%d bytes, wanted at most %d", len(raw), v.maxToken)}
	}
	if raw == "" {
		return nil, "", refuse(CheckMissing, "")
	}
	if v.closed.Load() {
		return nil, "", errClosed
	}
	id, tally := v.fingerprints.Of(raw)
	p := v.recall(&id)
	if p != nil && p.key == nil && (a.fresh() || !v.choseThis(ctx, raw, p)) {
		p = nil // introspection's own cache knows how old its answer is
	}
	if p != nil && (p.key == nil || !a.fresh()) {
		tally.Hit()
		return p, observe.ByCache, nil
	}
	tally.Miss()
	p, err := v.settle(ctx, raw, id, p, a)
	if err != nil {
		return nil, "", err
	}
	if p.key != nil && !a.fresh() {
		return p, observe.BySignature, nil
	}
	return p, observe.ByIntrospection, nil
}

// changes is how often the rules may change under a request before it is told
// to come again.
const changes = 3

// settle proves a token unless p is its proof already, and has its issuer
// confirm what its age demands. That takes time, in which the issuer may be
// forgotten, the key withdrawn or the validator closed: then the token is
// proven anew, by the rules of now.
func (v *Validator) settle(ctx context.Context, raw string, id cache.ID, p *proof, a asked) (*proof, error) {
	for range changes {
		if p == nil {
			var err error
			if p, err = v.prove(ctx, raw, id, a); err != nil {
				return nil, err
			}
		}
		if p.key != nil && a.fresh() { // without a key, it was just proven by asking
			if err := v.confirm(ctx, p, raw, id, a); err != nil {
				return nil, p.sighting().on(err)
			}
		}
		if !p.lands(v.now()) {
			p = nil
			continue
		}
		return p, nil
	}
	return nil, errUnsettled
}

var errUnsettled = &Error{check: CheckUnavailable, text: "the issuer's keys or rules went on changing while the token was verified", retryAfter: time.Second}

// recall returns a proof from the cache if it holds now.
func (v *Validator) recall(id *cache.ID) *proof {
	if v.cache == nil {
		return nil
	}
	p := v.cache.Get(id)
	if p == nil {
		return nil
	}
	if !p.holds(v.now()) {
		v.cache.Drop(id, p)
		return nil
	}
	return p
}

// forget drops what the cache knows of a token that its issuer called inactive.
func (v *Validator) forget(id cache.ID) {
	v.revocations.Add(1)
	if v.cache != nil {
		if p := v.cache.Get(&id); p != nil {
			v.cache.Drop(&id, p)
		}
	}
}

var errClosed = &Error{check: CheckUnavailable, text: "the validator is closed", retryAfter: time.Second,
	hint: "Close was called: it ends with the process, or a new Validator takes its place"}

// proveJWT makes the checks of checks.go in their order, from where shape.go
// leaves off.
func (v *Validator) proveJWT(ctx context.Context, t *jwt, a asked) (*proof, error) {
	if v.algorithms != nil && !slices.Contains(v.algorithms, t.header.canonical) {
		return nil, &Error{check: CheckAlgorithm, got: []string{t.header.Algorithm}, want: v.algorithms}
	}
	payload, err := t.payload()
	if err != nil {
		return nil, err
	}
	if v.opaqueOnly {
		t.said.at(v.introspector)
		return v.proveJWTByAsking(ctx, t, v.introspector, payload, a)
	}
	var c claims
	if err := c.parse(payload, v.limits); err != nil {
		return nil, err
	}
	t.said = c.token.sighting("")
	i, err := v.whose(ctx, &c, a.source)
	if err != nil {
		return nil, err
	}
	t.said.at(i)
	if i.keys == nil {
		return v.proveJWTByAsking(ctx, t, i, payload, a)
	}
	if err := i.checkHeader(&t.header); err != nil {
		return nil, err
	}
	if err := i.checkJWT(&c, v.now(), v.skew); err != nil {
		return nil, err
	}
	keys, err := i.keys.Candidates(ctx, hint(&t.header.Header))
	if err != nil {
		return nil, keyError(ctx, err)
	}
	p, err := v.flights.Do(ctx, verification{t.id, i, severalOf(keys)}, func() (*proof, error) {
		if p := v.recall(&t.id); p != nil { // another caller was done before this one began
			return p, nil
		}
		key, err := v.prover(ctx, i, t, keys, a.source)
		if err != nil {
			return nil, err
		}
		t.said.proven = true
		if err := i.checkProven(&c); err != nil {
			return nil, t.said.on(err)
		}
		return v.remember(&kept{ID: t.id, Value: proof{issuer: i, key: key}}, &c), nil
	})
	if err == flights.ErrEnded {
		return nil, gaveUp(ctx)
	}
	if err == nil && t.text != nil {
		v.headers.Put(t.Header, t.header)
	}
	return p, err
}

// remember completes a proof with what the claims say and puts it into the cache.
func (v *Validator) remember(k *kept, c *claims) *proof {
	p := &k.Value
	p.state(c.token)
	if c.hasExpiry {
		p.notAfter = c.token.expiry.Add(v.skew)
	}
	if c.hasNBF {
		p.notBefore = c.token.notBefore.Add(-v.skew)
	}
	if v.cache == nil || p.key == nil && p.until.IsZero() {
		return p
	}
	v.cache.Put(k, p.size())
	return p
}

// unavailableBecause is a 503 that is the caller's own if its context ended.
func unavailableBecause(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		return gaveUp(ctx)
	}
	if errors.Is(err, introspection.ErrThrottled) {
		return throttled(err)
	}
	var retryAfter time.Duration
	if e, ok := errors.AsType[*jwks.UnavailableError](err); ok {
		retryAfter = e.RetryAfter
	} else if e, ok := errors.AsType[*introspection.UnavailableError](err); ok {
		retryAfter = e.RetryAfter
	}
	return unavailable(retryAfter, err)
}

// refused reports a refusal to the observer and returns it.
func (v *Validator) refused(ctx context.Context, r *Request, err error) error {
	e, ok := err.(*Error)
	if !ok {
		e = unavailable(0, err)
	}
	v.ReportRefusal(ctx, r, nil, e)
	return e
}
