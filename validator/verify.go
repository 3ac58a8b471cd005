package validator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/validator/internal/cache"
)

// VerifyRequest proves the token that r shows and makes sure that it meets d. The
// error is an *Error and matches exactly one of ErrMissingToken (there is no
// token, or another scheme), ErrInvalidRequest (it is not a token's text), ErrInvalidToken,
// ErrThrottled and ErrUnavailable.
//
// ctx bounds only this caller's waiting: a fetch or a verification that others
// wait for goes on when it ends.
func (v *Validator) VerifyRequest(ctx context.Context, r *Request, d *Demand) (Accepted, error) {
	if d == nil {
		d = &Demand{}
	}
	if err := v.checkScheme(r); err != nil {
		return Accepted{}, v.refused(ctx, r, err, nil, stopwatch{})
	}
	var seen sighting // no part of the error, which would be garbage for each refusal
	watch := v.stopwatch()
	p, way, err := v.verify(ctx, r, d, &seen, &watch)
	if err == nil {
		err = pass(p, r, d)
	}
	var nonce string
	if err == nil {
		if nonce, err = v.passProof(ctx, p, r, true); err != nil {
			seen = *p.sighting() // a hit has left it empty
		}
	}
	if err != nil {
		return Accepted{}, v.refused(ctx, r, err, &seen, watch)
	}
	p.issuer.used()
	a := Accepted{Token: &p.token, Nonce: nonce, Way: way, took: watch.took()}
	if b := p.said.bound; b != nil && b.key != "" {
		a.spent = &spent{v, r.Proofs[0]}
	}
	if !d.More && v.tellsOf(a) {
		v.accepted(ctx, r, a)
	}
	return a, nil
}

// Verify proves raw, an access token without its scheme, and returns what it
// says. One that is bound to its sender is refused: VerifyRequest takes what proves it.
// The error is an *Error and matches exactly one of ErrMissingToken (raw
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

// checkScheme covers how the token is shown.
func (v *Validator) checkScheme(r *Request) error {
	if r.Scheme != "" && r.Scheme != schemeBearer && !asciiEqualFold(r.Scheme, schemeBearer) && !(v.made() && v.proofs != nil && r.isDPoP()) {
		return refuse(CheckMissing, "another scheme than Bearer")
	}
	return nil
}

func (v *Validator) checkSize(raw string) error {
	if len(raw) > v.maxToken {
		return &Error{check: CheckSize, text: fmt.Sprintf("%d bytes, wanted at most %d", len(raw), v.maxToken)}
	}
	return nil
}

// verify finds a proof that holds, or makes one, and says which.
func (v *Validator) verify(ctx context.Context, r *Request, d *Demand, seen *sighting, watch *stopwatch) (*proof, observe.Way, error) {
	raw, a := r.Token, asked{source: r.Source, maxAge: d.MaxAge, audience: d.Audience}
	if !v.made() {
		return nil, "", errNotMade
	}
	if err := v.checkSize(raw); err != nil {
		return nil, "", err
	}
	if raw == "" {
		return nil, "", refuse(CheckMissing, "")
	}
	if v.closed.Load() {
		return nil, "", errClosed
	}
	id, tally := v.fingerprints.Of(raw)
	p, way := v.recall(&id), observe.ByCache
	if p != nil && p.key == nil && !v.choseThis(ctx, raw, p) {
		p = nil
	}
	if p != nil && !a.fresh() {
		tally.Hit()
	} else {
		tally.Miss()
		v.start(watch)
		var err error
		if p, err = v.settle(ctx, r, d, id, p, a, seen); err != nil {
			return nil, "", err
		}
		if way = observe.ByIntrospection; p.key != nil && !a.fresh() {
			way = observe.BySignature
		}
	}
	if v.revoked == nil || v.revoked.Check(p.marks, d.Stale).Outcome() == revocation.Passes {
		return p, way, nil
	}
	return v.passRevocation(ctx, r, d, id, p, way, a, seen)
}

// passRevocation covers what a list holds against a token, or does not know. Where the
// issuer's word is to stand for the list's, one will do that is no older than a list may
// be; and what came for the list meanwhile counts, too.
func (v *Validator) passRevocation(ctx context.Context, r *Request, d *Demand, id cache.ID, p *proof, way observe.Way, a asked, seen *sighting) (*proof, observe.Way, error) {
	most := v.revoked.StaleAfter()
	for {
		asks, err := v.judgeRevocation(p, d.Stale)
		switch {
		case err != nil:
			return nil, "", err
		case !asks || a.fresh() && *a.maxAge <= most:
			return p, way, nil
		case p.issuer.introspection == nil:
			return nil, "", p.sighting().on(errNobodyToAsk)
		}
		a.maxAge, way = &most, observe.ByIntrospection
		if p, err = v.settle(ctx, r, d, id, p, a, seen); err != nil {
			return nil, "", err
		}
	}
}

// changes is how often the rules may change under a request before it is told
// to come again.
const changes = 3

// settle proves a token unless p is its proof already, and has its issuer
// confirm what its age demands. That takes time, in which the issuer may be
// forgotten, the key withdrawn or the validator closed: then the token is
// proven anew, by the rules of now.
func (v *Validator) settle(ctx context.Context, r *Request, d *Demand, id cache.ID, p *proof, a asked, seen *sighting) (*proof, error) {
	if p != nil && p.key == nil { // introspection's own cache knows how old its answer is
		if err := v.notRevoked(p); err != nil {
			return nil, err
		}
		p = nil
	}
	for range changes {
		if p == nil {
			var err error
			if p, err = v.prove(ctx, r.Token, id, a, seen); err != nil {
				return nil, err
			}
		}
		if p.key != nil && a.fresh() { // without a key, it was just proven by asking
			err := v.notRevoked(p)
			if err == nil {
				err = passBinding(p.said.bound, r, d.Bound) // nobody is asked about a token that another shows
			}
			if err == nil {
				var nonce string
				if nonce, err = v.passProof(ctx, p, r, false); err == nil {
					err = withNonce(v.confirm(ctx, p, r.Token, id, a), nonce)
				}
			}
			if err != nil {
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

// refused reports a refusal to the observer and returns it. What was seen of the
// token counts unless the error itself knows better.
func (v *Validator) refused(ctx context.Context, r *Request, err error, seen *sighting, watch stopwatch) error {
	e, ok := err.(*Error)
	if !ok {
		e = unavailable(0, err)
	}
	var took time.Duration
	if watch.proving { // what is refused sooner says nothing of proofs, and is no hit
		took = watch.took()
	}
	v.report(ctx, r, e, cmp.Or(e.said, seen), took)
	return e
}

// VerifyFresh is Verify for what must not wait for a cache: the issuer must
// have called the token active no longer than maxAge ago. Zero asks it now, and
// joins no call that is under way already. A JWT of an issuer with Keys needs
// its good signature and that answer, too, and an answer that names another
// jti, sub or client_id than the JWT confirms nothing. The error is as for Verify.
//
// An inactive answer removes the token from the verified-token cache and from
// introspection's, so that Verify refuses an opaque token afterwards, too; a
// JWT that is proven by signature alone passes Verify until it expires.
func (v *Validator) VerifyFresh(ctx context.Context, raw string, maxAge time.Duration) (*Token, error) {
	a, err := v.VerifyRequest(ctx, &Request{Token: raw}, &Demand{MaxAge: &maxAge})
	return a.Token, err
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
