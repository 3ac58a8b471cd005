package validator

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/internal/quote"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/revocation"
)

// quietKeys are an issuer's keys for an explanation: which of them verified is noted
// nowhere, and nobody is asked for more where that is not allowed.
type quietKeys struct {
	set     *jwks.KeySet
	network bool
}

var _ keySource = quietKeys{}

func (q quietKeys) Candidates(ctx context.Context, h jwks.Hint, tried ...*jwks.Key) ([]*jwks.Key, error) {
	if q.network {
		return q.set.Candidates(ctx, h, tried...)
	}
	return q.set.Held(h, tried...)
}

func (quietKeys) Proved(jwks.Hint, *jwks.Key) {}

// signature covers the key and the signature. p gets the key that verified.
func (w *walk) signature(ctx context.Context, t *jwt, p *proof, inTheWay string) {
	var keys []*jwks.Key
	set := quietKeys{network: w.o.Network}
	if inTheWay == "" {
		var err error
		set.set = w.issuer.keys
		keys, err = set.Candidates(ctx, hint(&t.header.Header))
		if err != nil && !w.o.Network && !errors.Is(err, jwks.ErrKeyNotFound) {
			inTheWay = "no keys of the issuer are held, and " + withoutNet
		} else if err != nil {
			w.only("key", CheckKey, "", func() error { return keyError(ctx, err) })
			w.only("signature", CheckSignature, "there is no key to verify it by", nil)
			return
		}
	}
	w.do("key", CheckKey, inTheWay, func() (string, error) {
		if t.header.HasKeyID {
			return "kid " + quote.Value(t.header.KeyID), nil
		}
		return "without kid", nil
	})
	w.only("signature", CheckSignature, inTheWay, func() (err error) {
		p.key, err = w.v.prover(ctx, w.issuer, set, t, keys, w.r.Source)
		return err
	})
}

// opaque covers where a token is taken to that is no JWT.
func (w *walk) opaque(ctx context.Context, what kind) {
	v, raw := w.v, w.r.Token
	var unasked string
	if v.opaqueIssuer != nil {
		unasked = w.unasked(true, true, v.opaqueIssuer(ctx, raw))
	}
	w.do("issuer", CheckShape, unasked, func() (_ string, err error) {
		if w.issuer, err = v.opaqueIssuerOf(ctx, raw, w.r.Source, what); err != nil {
			w.issuer = nil
			return "", err
		}
		return quote.Value(w.issuer.url), nil
	})
	w.told = len(w.steps)
	w.asked(ctx, w.issuer, nil, nil, unless(w.issuer != nil, noKnown))
}

// asked covers what the issuer says of a token. t is the JWT that it is about, or nil.
func (w *walk) asked(ctx context.Context, i *issuer, t *jwt, payload []byte, inTheWay string) {
	v, c := w.v, &w.claims
	w.issuer, w.read = i, false
	var own *ownWord
	if t != nil {
		w.only("forms", CheckJSON, inTheWay, func() (err error) {
			own, err = v.ownWord(t, payload)
			return err
		})
	}
	inTheWay = cmp.Or(inTheWay, unless(!w.failed, shownNobody), unless(w.o.Network, withoutNet))
	var result *introspection.Result
	active := w.only("active", CheckActive, inTheWay, func() (err error) {
		result, err = v.ask(ctx, i, w.r.Token, noID, w.quiet())
		return err
	})
	inTheWay = cmp.Or(inTheWay, unless(active, notVouched))
	w.read = w.only("answer", CheckJSON, inTheWay, func() (err error) {
		var read claims
		if read, err = i.readAnswer(result); err == nil {
			*c = read
			c.hear(own)
		}
		return err
	})
	w.proven = w.read
	inTheWay = cmp.Or(inTheWay, unless(w.read, noClaims))
	w.only("iss", CheckIssuer, inTheWay, func() error {
		if err := i.checkAnswerer(c); err != nil {
			return err
		}
		c.token.issuer = i.url
		return nil
	})
	w.common(i, inTheWay, inTheWay, "", false)
	w.only("claims", CheckClaims, inTheWay, func() error { return i.profile.check(c, i.profile.MatchAnswer, nil) })
	w.rest(i, inTheWay, w.r.Token)
	w.request(ctx, &proof{issuer: i}, inTheWay)
}

// request covers what a request must pass whose token was proven.
func (w *walk) request(ctx context.Context, p *proof, inTheWay string) {
	v, d := w.v, w.demand
	p.issuer = cmp.Or(p.issuer, new(issuer))
	if inTheWay == "" {
		v.complete(p, &w.claims, w.r.Token)
	}
	fresh, asks := d.MaxAge != nil, false
	if v.revoked != nil {
		w.do("revocation", CheckRevoked, cmp.Or(inTheWay, unless(w.proven, "a list says nothing of what is not proven")), func() (found string, err error) {
			if !v.revoked.Stats().Loaded {
				found = "no list was read yet: nothing is held against anybody"
			}
			if fresh && w.signed { // the list alone: it spares a question
				verdict := v.revoked.Peek(p.marks, revocation.StaleGoOn)
				if verdict.Outcome() == revocation.Revoked {
					return "", revokedBy(verdict)
				}
				return found, nil
			}
			asks, err = w.judgeRevocation(p)
			return found, err
		})
	}
	switch {
	case w.signed && (fresh || asks): // nobody is asked about a token that another shows
		w.sender(ctx, p, inTheWay)
		w.confirmation(ctx, p, inTheWay)
		w.audience(p, inTheWay)
	default:
		if asks {
			w.confirmation(ctx, p, inTheWay)
		}
		w.audience(p, inTheWay)
		w.sender(ctx, p, inTheWay)
	}
	if w.o.Rule != nil {
		w.do("rule", CheckScope, cmp.Or(inTheWay, w.ungiven), func() (string, error) { return quote.Value(w.o.Rule.Needs()), p.token.Check(*w.o.Rule) })
	}
}

// judgeRevocation is what the list says, and whether the issuer is to be asked in its
// place.
func (w *walk) judgeRevocation(p *proof) (asks bool, err error) {
	asks, err = p.judged(w.v.revoked.Peek(p.marks, w.demand.Stale))
	if fresh := w.demand.MaxAge; asks && fresh != nil && *fresh <= w.v.revoked.StaleAfter() {
		asks = false // it was
	}
	if asks && p.issuer.introspection == nil {
		err = errNobodyToAsk
	}
	return asks && err == nil, err
}

// confirmation covers the issuer's word about a token that is good by itself, and what
// the list says then.
func (w *walk) confirmation(ctx context.Context, p *proof, inTheWay string) {
	v, a := w.v, w.quiet()
	if v.revoked != nil && inTheWay == "" && w.proven {
		most := v.revoked.StaleAfter()
		if asks, _ := p.judged(v.revoked.Peek(p.marks, w.demand.Stale)); asks && (!a.fresh() || *a.maxAge > most) {
			a.maxAge = &most
		}
	}
	inTheWay = cmp.Or(inTheWay, unless(!w.failed, shownNobody), unless(w.proven, unprovenHidden), unless(w.o.Network || p.issuer.introspection == nil, withoutNet))
	w.only("confirmation", CheckActive, inTheWay, func() error {
		if p.key != nil {
			return v.confirm(ctx, p, w.r.Token, noID, a)
		}
		result, err := v.ask(ctx, p.issuer, w.r.Token, noID, a)
		if err != nil {
			return err
		}
		again, err := p.issuer.readAnswer(result)
		if err != nil {
			return err
		}
		again.hear(w.claims.own)
		if err := p.issuer.checkAnswer(&again, w.now, v.skew); err != nil {
			return err
		}
		if err := again.checkSecrecy(w.r.Token); err != nil {
			return err
		}
		w.claims = again // what follows goes by the newest answer, as VerifyRequest does
		*p = proof{issuer: p.issuer}
		v.complete(p, &w.claims, w.r.Token)
		if v.revoked != nil {
			_, err = w.judgeRevocation(p)
		}
		return err
	})
	if v.revoked != nil && w.demand.MaxAge != nil && w.signed {
		w.only("revocation list", CheckUnavailable, cmp.Or(inTheWay, unless(!w.failed, notVouched)), func() error {
			_, err := w.judgeRevocation(p)
			return err
		})
	}
}

// audience covers the route's own.
func (w *walk) audience(p *proof, inTheWay string) {
	if own := w.demand.Audience; own != nil {
		w.do("route's audience", CheckAudience, cmp.Or(inTheWay, unless(w.claims.granted, "its audience was not read")), func() (string, error) {
			named := p.said.audience
			return quote.List(slices.DeleteFunc(slices.Clone(named), func(name string) bool { return !slices.Contains(own, name) }), nil), passAudience(named, own)
		})
	}
}

// sender covers who shows the token, and how he proves it.
func (w *walk) sender(ctx context.Context, p *proof, inTheWay string) {
	w.only("sender", CheckBinding, inTheWay, func() error { return passBinding(p.said.bound, w.r, w.demand.Bound) })
	if inTheWay != "" || p.said.bound == nil || p.said.bound.key == "" || w.v.proofs == nil {
		return
	}
	if !w.r.isDPoP() {
		w.only("proof", CheckProof, "the token is not shown by the DPoP scheme", nil)
		return
	}
	for _, s := range w.v.proofs.Explain(ctx, p.shownBy(w.r), dpop.ExplainOptions{Network: w.o.Network && w.proven && !w.failed, At: w.o.At}) {
		if s.Err == nil {
			w.do("proof: "+s.Name, CheckProof, s.NotReached, func() (string, error) { return s.Found, nil })
			continue
		}
		w.do("proof: "+s.Name, CheckProof, "", func() (string, error) { return "", proofError(ctx, s.Err) })
		last := &w.steps[len(w.steps)-1]
		last.Found, last.Wanted, last.Fix = s.Found, s.Wanted, strings.Join([]string{last.Fix, s.Fix}, ": ")
	}
}
