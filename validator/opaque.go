package validator

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"weak"

	"github.com/m2mguard/m2mguard/internal/strictjson"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/validator/internal/cache"
)

// opaqueIssuerOf is where a token that names no issuer is taken to.
func (v *Validator) opaqueIssuerOf(ctx context.Context, raw, source string, what kind) (*issuer, error) {
	refusal := func(why string) error {
		e := refuse(CheckShape, string(what)+", and "+why)
		if what == jwe {
			e.flaw = encrypted
		}
		return e
	}
	if v.opaqueIssuer == nil {
		if i := v.opaqueByPrefix(raw); i != nil {
			return i, nil
		}
		if len(v.prefixes) > 0 {
			return nil, refusal("it begins with no Issuer.OpaquePrefix")
		}
		return nil, refusal("no issuer here introspects")
	}
	url := v.opaqueIssuer(ctx, raw)
	if url == "" {
		return nil, refusal("Config.OpaqueIssuer chose no issuer for it")
	}
	i, err := v.issuerOf(ctx, url, source)
	if err == nil && i.introspection == nil {
		err = refusal("the issuer that Config.OpaqueIssuer chose does not introspect")
	}
	return i, err
}

// proveOpaque takes a token to where opaque ones go.
func (v *Validator) proveOpaque(ctx context.Context, raw string, id cache.ID, a asked, what kind) (*proof, error) {
	i, err := v.opaqueIssuerOf(ctx, raw, a.source, what)
	if err != nil {
		return nil, err
	}
	p, err := v.proveByAsking(ctx, raw, &kept{ID: id, Value: proof{issuer: i, chosen: v.opaqueIssuer != nil}}, nil, a)
	return p, (&sighting{issuer: i.url}).on(err)
}

// choseThis reports whether a token from the cache still goes to the issuer
// that proved it, as far as that is Config.OpaqueIssuer's choice: what one
// request was let in with says nothing about where another's token goes.
func (v *Validator) choseThis(ctx context.Context, raw string, p *proof) bool {
	return !p.chosen || v.opaqueIssuer(ctx, raw) == p.issuer.url
}

// proveByAsking completes a proof with what its issuer says of the token; the
// answer's claims pass the same checks as a JWT's. An answer that was read and
// checked before is not read again. own is what a JWT says of itself, or nil.
func (v *Validator) proveByAsking(ctx context.Context, raw string, k *kept, own *ownWord, a asked) (*proof, error) {
	p := &k.Value
	revocations := v.revocations.Load()
	result, err := v.ask(ctx, p.issuer, raw, k.ID, a)
	if err != nil {
		return nil, err
	}
	p.answer = weak.Make(result)
	if known := v.recall(&k.ID); known != nil && known.answer == p.answer && known.issuer == p.issuer && known.chosen == p.chosen {
		return known, nil
	}
	c, err := p.issuer.readAnswer(result)
	if err != nil {
		return nil, err
	}
	c.hear(own)
	if err := p.issuer.checkAnswer(&c, v.now(), v.skew); err != nil {
		said := c.token.sighting(p.issuer.url)
		said.proven = true // by the answer
		return nil, said.on(without(raw, err))
	}
	if err := c.checkSecrecy(raw); err != nil {
		return nil, err
	}
	if p.until = result.ValidUntil(); !p.until.IsZero() {
		p.until = p.until.Add(-p.issuer.refreshAhead) // the last uses go to introspection, which renews
	}
	v.remember(k, &c, raw)
	if v.cache != nil && v.revocations.Load() != revocations {
		v.cache.Drop(&k.ID, p) // a newer answer may have called the token inactive meanwhile
	}
	return p, nil
}

// checkSecrecy refuses an answer that has the token where a log would show it.
func (c *claims) checkSecrecy(raw string) error {
	if len(raw) >= minHidden && strings.Contains(c.token.clientID+" "+c.token.scopes.String(), raw) {
		return refuseAs(CheckClaims, malformed, "the introspection answer repeats the token as its client or a scope, which are logged")
	}
	return nil
}

// ask returns the issuer's answer about an active token. What it calls inactive
// leaves the cache.
func (v *Validator) ask(ctx context.Context, i *issuer, raw string, id cache.ID, a asked) (*introspection.Result, error) {
	result, err := i.introspection.Ask(ctx, introspection.Question{Token: raw, MaxAge: a.maxAge, Source: a.source})
	if errors.Is(err, introspection.ErrRefused) {
		return nil, &Error{check: CheckActive, cause: err}
	}
	if err != nil {
		return nil, unavailableBecause(ctx, err)
	}
	if !result.Active() {
		if !a.explains {
			v.forget(id)
		}
		return nil, refuse(CheckActive, "introspection answered active: false")
	}
	return result, nil
}

// without is an error about an answer that may repeat the token: a copy that does
// not hold it.
func without(raw string, err error) error {
	e, ok := err.(*Error)
	if !ok || len(raw) < minHidden || !slices.ContainsFunc(e.got, func(got string) bool { return strings.Contains(got, raw) }) {
		return err
	}
	told := *e
	told.got = slices.Clone(e.got)
	for i, got := range told.got {
		told.got[i] = strings.ReplaceAll(got, raw, "(the token itself)")
	}
	return &told
}

// hear notes what the JWT says of itself that an answer is about, if it is about one.
func (c *claims) hear(own *ownWord) {
	if c.own = own; own != nil {
		c.token.bound = c.token.bound.and(own.bound)
	}
}

// readAnswer reads what an answer says of an active token.
func (i *issuer) readAnswer(result *introspection.Result) (c claims, err error) {
	c.endless = i.endless
	if err := c.parse(result.Claims(), strictjson.Unlimited); err != nil {
		return claims{}, err
	}
	// Such a token is bound even where the answer leaves cnf out (RFC 9449 §6.2).
	kind, _ := strictjson.Value(c.token.claims).Find("token_type").String()
	if asciiEqualFold(kind, "DPoP") && (c.token.bound == nil || c.token.bound.key == "") {
		c.token.bound = c.token.bound.and(&binding{unknown: "the answer has token_type DPoP and no cnf.jkt (RFC 9449 §6.2)"})
	}
	return c, nil
}

// confirm asks about a JWT whose signature is good. The answer's iss, sub,
// client_id, jti, exp, nbf, aud, cnf and what the profile matches are checked
// where they are there; a missing aud is the JWT's, which was checked.
func (v *Validator) confirm(ctx context.Context, p *proof, raw string, id cache.ID, a asked) error {
	i := p.issuer
	if i.introspection == nil {
		return &Error{check: CheckUnavailable, retryAfter: time.Second, text: "the issuer has no Introspection, which VerifyFresh needs", got: []string{i.url}}
	}
	result, err := v.ask(ctx, i, raw, id, a)
	if err != nil {
		return err
	}
	answer := weak.Make(result)
	if known := p.confirmed.Load(); known != nil && known.answer == answer && (a.audience == nil || !known.differs) {
		return known.times.check(v.now(), v.skew)
	}
	c, err := i.readAnswer(result)
	if err != nil {
		return err
	}
	if err := i.checkConfirmation(&c, &p.said, v.now(), v.skew); err != nil {
		return without(raw, err)
	}
	audience, err := c.audience.Strings(nil)
	if err != nil || len(audience) == 0 { // it was well formed before, if it is there
		audience = p.said.audience
	}
	if err := passAudience(audience, a.audience); err != nil {
		return err
	}
	p.confirmed.Store(&confirmation{answer, c.times(), !slices.Equal(audience, p.said.audience)})
	return nil
}
