package validator

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator/internal/cache"
	"github.com/m2mguard/m2mguard/validator/internal/flights"
)

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

// proveJWT makes the checks of checks.go in their order, from where shape.go
// leaves off.
func (v *Validator) proveJWT(ctx context.Context, t *jwt, a asked) (*proof, error) {
	if err := v.checkAlgorithm(&t.header); err != nil {
		return nil, err
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
		key, err := v.prover(ctx, i, i.keys, t, keys, a.source)
		if err != nil {
			return nil, err
		}
		t.said.proven = true
		if err := i.checkProven(&c); err != nil {
			return nil, t.said.on(err)
		}
		return v.remember(&kept{ID: t.id, Value: proof{issuer: i, key: key}}, &c, t.raw), nil
	})
	if err == flights.ErrEnded {
		return nil, gaveUp(ctx)
	}
	if err == nil && t.text != nil {
		v.headers.Put(t.Header, t.header)
	}
	return p, err
}

// checkAlgorithm covers what no issuer here accepts, before the payload is read.
func (v *Validator) checkAlgorithm(h *header) error {
	if v.algorithms != nil && !slices.Contains(v.algorithms, h.canonical) {
		return &Error{check: CheckAlgorithm, got: []string{h.Algorithm}, want: v.algorithms}
	}
	return nil
}

// remember completes a proof and puts it into the cache.
func (v *Validator) remember(k *kept, c *claims, raw string) *proof {
	p := &k.Value
	v.complete(p, c, raw)
	if v.cache == nil || p.key == nil && p.until.IsZero() {
		return p
	}
	v.cache.Put(k, p.size())
	return p
}

// complete fills a proof in with what the claims say.
func (v *Validator) complete(p *proof, c *claims, raw string) {
	p.state(c.token)
	if b := c.token.bound; b != nil && b.key != "" {
		p.bindTo(b.key, raw)
	}
	if c.hasExpiry {
		p.notAfter = c.token.expiry.Add(v.skew)
	}
	if c.hasNBF {
		p.notBefore = c.token.notBefore.Add(-v.skew)
	}
	if v.revoked != nil {
		p.mark(v.revoked, raw, c.own)
	}
	p.said.origin = p
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
