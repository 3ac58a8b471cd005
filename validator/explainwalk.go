package validator

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/internal/quote"
	"github.com/m2mguard/m2mguard/validator/internal/cache"
)

// walk makes one explanation: by the functions of checks.go and passes.go, in the order
// of those pages. It has no way to hand out a Token.
type walk struct {
	v      *Validator
	r      *Request
	o      ExplainOptions
	demand *Demand
	now    time.Time

	steps    []Step
	failed   bool // some step did
	told     int  // steps before the first that is about what a token says
	proven   bool
	signed   bool    // it is a JWT of an issuer with keys
	issuer   *issuer // whose the token is; nil while that is not known
	standsIn *issuer // whom it is held against meanwhile
	claims   claims
	read     bool   // the claims
	ungiven  string // why it is not known what it grants
}

// do makes a check, unless something is in its way, and reports whether it passed.
func (w *walk) do(name string, usual Check, inTheWay string, check func() (found string, err error)) bool {
	s := Step{Name: name, Check: usual, NotReached: inTheWay}
	var err error
	if inTheWay == "" {
		s.Found, err = check()
	}
	if err != nil {
		w.failed = true
		e, ok := without(w.r.Token, err).(*Error)
		if !ok {
			e = unavailable(0, err)
		}
		s.Check, s.Err, s.Fix = e.check, e, e.fix()
		s.Found, s.Wanted = e.foundAndWanted()
	}
	w.steps = append(w.steps, s)
	return inTheWay == "" && err == nil
}

// only is do for a check that finds nothing to tell.
func (w *walk) only(name string, usual Check, inTheWay string, check func() error) bool {
	return w.do(name, usual, inTheWay, func() (string, error) { return "", check() })
}

func unless(done bool, why string) string {
	if done {
		return ""
	}
	return why
}

const (
	noText         = "there is no token to look at"
	noHeader       = "the header is refused"
	noClaims       = "the claims cannot be read"
	noKnown        = "no issuer here is known for it"
	notVouched     = "the issuer was asked, and does not vouch for it"
	withoutNet     = "ExplainOptions.Network is not set, so that nobody is asked"
	unprovenHidden = "what is not proven is shown to nobody"
	shownNobody    = "what is wrong already is shown to nobody"
	provenAlone    = "a function of the configuration sees proven tokens alone, in which all else is right"
)

// start covers the credentials, and what a token is.
func (w *walk) start(ctx context.Context) {
	v, raw := w.v, w.r.Token
	stop := unless(w.only("credentials", CheckMissing, "", func() error {
		if err := v.checkScheme(w.r); err != nil || raw != "" {
			return err
		}
		return refuse(CheckMissing, "")
	}) || raw != "" && w.r.isDPoP(), noText) // what another scheme shows may be a password
	switch {
	case !v.made():
		w.only("validator", CheckUnavailable, stop, func() error { return errNotMade })
		return
	case !w.do("size", CheckSize, stop, func() (string, error) { return strconv.Itoa(len(raw)) + " bytes", v.checkSize(raw) }):
		stop = cmp.Or(stop, "it is too long to be looked at")
	}
	if v.closed.Load() {
		w.only("validator", CheckUnavailable, stop, func() error { return errClosed })
		stop = cmp.Or(stop, "the validator is closed")
	}
	w.only("characters", CheckRequest, stop, func() error {
		if !isB64Token(raw) {
			return notB64Token(raw)
		}
		return nil
	})
	if stop != "" {
		w.only("three parts", CheckShape, stop, nil)
		w.jwt(ctx, &jwt{}, nil, stop)
		return
	}
	t := &jwt{raw: raw}
	var three bool
	var failed error
	if t.Compact, three = jws.Split(raw); three {
		if failed = t.readHeader(); failed == nil {
			w.do("three parts", CheckShape, "", func() (string, error) { return "a JWT", nil })
			w.jwt(ctx, t, nil, "")
			return
		}
	}
	what, failed := v.otherThanJWT(t, three, failed)
	switch {
	case failed == nil:
		w.do("three parts", CheckShape, "", func() (string, error) { return string(what), nil })
		w.opaque(ctx, what)
	case three:
		w.do("three parts", CheckShape, "", func() (string, error) { return "a JWT", nil })
		w.jwt(ctx, t, failed, "")
	default:
		w.only("three parts", CheckShape, "", func() error { return failed })
		w.jwt(ctx, t, nil, "it has not the parts of a JWT")
	}
}

// jwt covers what a JWT says before anything is proven. failed is what is wrong with its
// header.
func (w *walk) jwt(ctx context.Context, t *jwt, failed error, stop string) {
	v, c := w.v, &w.claims
	w.told = len(w.steps)
	headed := w.only("header", CheckJSON, stop, func() error { return failed })
	headless := cmp.Or(stop, unless(headed, noHeader))
	listed := w.do("algorithm", CheckAlgorithm, headless, func() (string, error) {
		return quote.Value(t.header.Algorithm), v.checkAlgorithm(&t.header)
	})
	var payload []byte
	decoded := w.only("payload", CheckEncoding, stop, func() (err error) {
		payload, err = t.payload()
		return err
	})
	unread := cmp.Or(stop, unless(decoded, noClaims))
	if v.opaqueOnly {
		w.asked(ctx, v.introspector, t, payload, unread)
		return
	}
	w.read = w.only("forms", CheckJSON, unread, func() error { return c.parse(payload, v.limits) })
	unread = cmp.Or(stop, unless(w.read, noClaims))
	w.do("iss", CheckIssuer, cmp.Or(unread, w.unasked(headed && listed, c.hasIssuer, c.token.issuer)), func() (_ string, err error) {
		if w.issuer, err = v.whose(ctx, c, w.r.Source); err != nil {
			return "", err
		}
		return quote.Value(w.issuer.url), nil
	})
	if w.issuer != nil && w.issuer.keys == nil {
		w.asked(ctx, w.issuer, t, payload, "")
		return
	}
	w.signed = true
	i, note := w.judge()
	rules := unless(w.issuer != nil || w.standsIn != nil, noKnown)
	w.do("typ", CheckType, cmp.Or(headless, rules), func() (string, error) { return quote.Value(t.header.Type) + note, i.checkType(&t.header) })
	fits := w.do("alg", CheckAlgorithm, cmp.Or(headless, rules, unless(listed, "no issuer here accepts it")), func() (string, error) {
		return quote.Value(t.header.Algorithm) + note, i.checkAlgorithm(&t.header)
	})
	w.common(i, unread, rules, note, true)

	unfit := cmp.Or(headless, unless(decoded, "the payload cannot be read"), unread, unless(w.issuer != nil, noKnown), unless(fits, "its alg is not accepted"))
	p := &proof{issuer: w.issuer}
	w.signature(ctx, t, p, unfit)
	w.proven = p.key != nil
	w.only("claims", CheckClaims, cmp.Or(unread, rules), func() error { return i.profile.check(c, i.profile.Match, i.profile.Require) })
	w.rest(i, cmp.Or(unread, rules), "")
	w.request(ctx, p, unread)
}

// judge is whose rules the claims are held against: the issuer's, or, where that is not
// known, the one's that there is. note says so.
func (w *walk) judge() (i *issuer, note string) {
	switch urls := w.v.issuerURLs; {
	case w.issuer != nil:
		return w.issuer, ""
	case w.read && len(urls) == 1 && w.v.resolved == nil:
		w.standsIn = w.v.issuers[urls[0]]
		return w.standsIn, " (as if it were of issuer " + quote.Value(urls[0]) + ")"
	}
	all := new(issuer)
	all.ours = make(map[string]bool)
	for _, one := range w.v.issuers {
		all.audience = append(all.audience, one.audience...)
		all.longestName = max(all.longestName, one.longestName)
		for name := range one.ours {
			all.ours[name] = true
		}
	}
	slices.Sort(all.audience)
	all.audience = slices.Compact(all.audience)
	return all, " (as if it were of any issuer here)"
}

// common covers what a JWT and an answer have in common. Of what no issuer is known for,
// the times and the audience can be looked at.
func (w *walk) common(i *issuer, unread, rules, note string, ends bool) {
	c := &w.claims
	for n, check := range commonChecks {
		inTheWay := unread
		switch check.name {
		case "exp", "nbf", "aud":
		default:
			inTheWay = cmp.Or(unread, rules)
		}
		w.do(check.name, check.check, inTheWay, func() (string, error) {
			if check.name == "exp" && ends {
				if err := c.checkEnds(); err != nil {
					return "", err
				}
			}
			return c.shown(check.name, i) + note, i.judge(n, c, w.now, w.v.skew)
		})
	}
}

// shown is what a check finds in the claims.
func (c *claims) shown(check string, i *issuer) string {
	switch t := &c.token; {
	case check == "exp" && c.hasExpiry:
		return t.expiry.UTC().Format(time.RFC3339)
	case check == "nbf" && c.hasNBF:
		return t.notBefore.UTC().Format(time.RFC3339)
	case check == "lifetime" && i.maxLifetime > 0:
		return t.expiry.Sub(t.issuedAt).String()
	case check == "aud":
		names, _ := c.audience.Strings(nil)
		return quote.List(slices.DeleteFunc(names, func(name string) bool { return !i.ours[name] }), nil)
	case check == "cnf" && t.bound == nil:
		return "a bearer token"
	case check == "cnf" && t.bound.key != "":
		return "bound to a key"
	case check == "cnf" && t.bound.certificate != "":
		return "bound to a certificate"
	}
	return ""
}

// rest covers who the token was issued to, and what the configuration's functions say.
// Nobody's function sees what is not proven: its scopes are then those of the claims.
func (w *walk) rest(i *issuer, inTheWay, secret string) {
	c := &w.claims
	w.do("client", CheckClient, inTheWay, func() (string, error) { return quote.Value(c.token.clientID), i.checkClient(c) })
	if i != nil && i.appOnly {
		w.only("app", CheckApp, cmp.Or(inTheWay, unless(w.proven && !w.failed, provenAlone)), func() error { return i.checkApp(c) })
	}
	if w.ungiven = inTheWay; i != nil && i.profile.Grants != nil {
		w.ungiven = cmp.Or(inTheWay, unless(w.proven && !w.failed, provenAlone))
	}
	granted := w.do("scopes", CheckClaims, inTheWay, func() (string, error) {
		p := &i.profile
		if w.ungiven != "" {
			own := i.profile
			own.Grants = nil
			p = &own
		}
		err := c.grant(p)
		return quote.List(slices.Collect(c.token.scopes.All()), nil), err
	})
	w.ungiven = cmp.Or(w.ungiven, unless(granted, "the scopes cannot be read"))
	if i != nil && (len(i.conditions) > 0 || i.profile.Accept != nil) {
		w.only("own check", CheckClaims, cmp.Or(inTheWay, unless(w.proven && !w.failed, provenAlone)), func() error { return i.accept(c) })
	}
	if secret != "" {
		w.only("secrecy", CheckClaims, inTheWay, func() error { return c.checkSecrecy(secret) })
	}
}

// unasked is why the issuer of this name is not looked up, if it would have to be asked
// for: nobody is asked about what is refused by its header.
func (w *walk) unasked(good, named bool, url string) string {
	v := w.v
	if w.o.Network && good || !named || v.resolved == nil || v.issuers[url] != nil || url == "" || len(url) > maxIssuerURL {
		return ""
	}
	_, held := v.resolved.Held(strings.Clone(url))
	return unless(held, "Config.Resolver would have to be asked, and "+cmp.Or(unless(good, noHeader), withoutNet))
}

// quiet is what is asked for an explanation.
func (w *walk) quiet() asked {
	return asked{source: w.r.Source, maxAge: w.demand.MaxAge, audience: w.demand.Audience, explains: true}
}

var noID cache.ID // of nothing that is remembered
