package validator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

// opaqueIssuerOf is where a token that names no issuer is taken to.
func (v *Validator) opaqueIssuerOf(ctx context.Context, raw, source string) (*issuer, error) {
	if v.opaqueIssuer == nil {
		if v.introspector == nil {
			return nil, refuse(CheckShape, "the token is no JWT, and no issuer here introspects")
		}
		return v.introspector, nil
	}
	url := v.opaqueIssuer(ctx, raw)
	if url == "" {
		return nil, refuse(CheckShape, "the token is no JWT, and Config.OpaqueIssuer chose no issuer for it")
	}
	i, err := v.issuerOf(ctx, url, source)
	if err == nil && i.introspection == nil {
		err = refuse(CheckShape, "the token is no JWT, and the issuer that Config.OpaqueIssuer chose does not introspect")
	}
	return i, err
}

// proveOpaque takes a token to where opaque ones go.
func (v *Validator) proveOpaque(ctx context.Context, raw string, id fingerprint, a asked) (*proof, error) {
	if !isB64Token(raw) {
		return nil, errNotB64Token
	}
	i, err := v.opaqueIssuerOf(ctx, raw, a.source)
	if err != nil {
		return nil, err
	}
	p, err := v.proveByAsking(ctx, raw, &proof{id: id, issuer: i, chosen: v.opaqueIssuer != nil}, a)
	return p, (&sighting{issuer: i.url}).on(err)
}

// choseThis reports whether a token from the cache still goes to the issuer
// that proved it, as far as that is Config.OpaqueIssuer's choice: what one
// request was let in with says nothing about where another's token goes.
func (v *Validator) choseThis(ctx context.Context, raw string, p *proof) bool {
	return !p.chosen || v.opaqueIssuer(ctx, raw) == p.issuer.url
}

// proveByAsking completes p with what its issuer says of the token; the
// answer's claims pass the same checks as a JWT's.
func (v *Validator) proveByAsking(ctx context.Context, raw string, p *proof, a asked) (*proof, error) {
	revocations := v.revocations.Load()
	c, result, err := v.ask(ctx, p.issuer, raw, p.id, a)
	if err != nil {
		return nil, err
	}
	if err := p.issuer.checkAnswer(&c, v.now(), v.skew); err != nil {
		said := c.token.sighting(p.issuer.url)
		said.proven = true // by the answer
		return nil, said.on(err)
	}
	if p.until = result.ValidUntil(); !p.until.IsZero() {
		p.until = p.until.Add(-p.issuer.refreshAhead) // the last uses go to introspection, which renews
	}
	v.remember(p, &c)
	if v.cache != nil && v.revocations.Load() != revocations {
		v.cache.drop(p) // a newer answer may have called the token inactive meanwhile
	}
	return p, nil
}

// ask returns what the issuer says of an active token. What it calls inactive
// leaves the cache.
func (v *Validator) ask(ctx context.Context, i *issuer, raw string, id fingerprint, a asked) (claims, *introspection.Result, error) {
	result, err := i.introspection.Ask(ctx, introspection.Question{Token: raw, MaxAge: a.maxAge, Source: a.source})
	if errors.Is(err, introspection.ErrRefused) {
		return claims{}, nil, &Error{check: CheckActive, cause: err}
	}
	if err != nil {
		return claims{}, nil, unavailableBecause(ctx, err)
	}
	if !result.Active() {
		v.forget(id)
		return claims{}, nil, refuse(CheckActive, "introspection answered active: false")
	}
	var c claims
	if err := c.parse(result.Claims()); err != nil {
		return claims{}, nil, err
	}
	// Such a token is bound even where the answer leaves cnf out (RFC 9449 §6.2).
	if value, err := c.find("token_type"); err == nil && value != nil {
		kind, _ := value.String()
		c.bound = c.bound || asciiEqualFold(kind, "DPoP")
	}
	return c, result, nil
}

// VerifyFresh is Verify for what must not wait for a cache: the issuer must
// have called the token active no longer than maxAge ago. Zero asks it now, and
// joins no call that is under way already. A JWT of an issuer with Keys needs
// its good signature and that answer, too. The error is as for Verify.
//
// An inactive answer removes the token from the verified-token cache and from
// introspection's, so that Verify refuses an opaque token afterwards, too; a
// JWT that is proven by signature alone passes Verify until it expires.
func (v *Validator) VerifyFresh(ctx context.Context, raw string, maxAge time.Duration) (*Token, error) {
	a, err := v.VerifyRequest(ctx, &Request{Token: raw}, &Demand{MaxAge: &maxAge})
	return a.Token, err
}

// confirm asks about a JWT whose signature is good. The answer's iss, exp, nbf,
// aud, cnf and what the profile matches are checked where they are there; a
// missing aud is the JWT's, which was checked.
func (v *Validator) confirm(ctx context.Context, p *proof, raw string, a asked) error {
	i := p.issuer
	if i.introspection == nil {
		return &Error{check: CheckUnavailable, retryAfter: time.Second, text: "the issuer has no Introspection, which VerifyFresh needs", got: []string{i.url}}
	}
	c, _, err := v.ask(ctx, i, raw, p.id, a)
	if err != nil {
		return err
	}
	if len(c.token.audience) == 0 {
		c.token.audience = p.said.audience
	}
	if iss := c.token.issuer; iss != "" && iss != i.url {
		return &Error{check: CheckIssuer, got: []string{iss}, want: []string{i.url}}
	}
	if err := i.checkClaims(&c, v.now(), v.skew); err != nil {
		return err
	}
	if err := passAudience(c.token.audience, a.audience); err != nil {
		return err
	}
	return i.profile.check(&c, i.profile.MatchAnswer, nil)
}

// CanVerifyFresh returns nil if VerifyFresh can be asked of every configured
// issuer, or an error that names those without Introspection.
func (v *Validator) CanVerifyFresh() error {
	if !v.made() {
		return errNotMade
	}
	var faults []error
	for _, url := range v.issuerURLs {
		if v.issuers[url].introspection == nil {
			faults = append(faults, fmt.Errorf("validator: Issuer %q has no Introspection, which VerifyFresh needs", url))
		}
	}
	return errors.Join(faults...)
}
