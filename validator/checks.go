package validator

import (
	"slices"
	"time"

	"github.com/m2mguard/m2mguard/internal/jws"
)

// This page is the whole list of what a token must pass, in order. What costs
// next to nothing comes first, so that garbage is refused before it causes a
// fetch or a signature verification, and what may cost more comes after the
// signature. Nothing is believed, and no token returned, before the last line.
// RFC 8725 §3 gives the reasons for most of it.
//
//	 1  size          verify              at most Config.MaxTokenBytes, before anything is parsed
//	 2  characters    isB64Token          those of RFC 6750 §2.1
//	 3  three parts   prove               else it is opaque, which Keys alone cannot prove
//	 4  base64url     jws.AppendDecode    strict, one spelling for each value
//	 5  JSON          jws.ParseHeader     strict, header and payload
//	 6  crit, b64     jws.ParseHeader     refused
//	 7  forms         claims.parse        strings are strings, exp, nbf and iat are NumericDates
//	 8  iss           issuerOf            a configured issuer, byte for byte; no other is asked anything
//	 9  typ           checkHeader         an access token's
//	10  alg           checkHeader         on the issuer's list; one that is on none is refused before 7
//	11  exp           checkClaims         required; now < exp + skew
//	12  nbf           checkClaims         now >= nbf - skew
//	13  aud           checkClaims         one of ours
//	14  cnf           checkClaims         a sender-bound token is no bearer token
//	15  key           jwks.Lookup         of this issuer, and made for this alg
//	16  signature     jws.Verify          by that key, under that alg
//	17  claims        Profile.check       what the profile asks for
//	18  client, app   checkClient         on the list of clients; no user's token, if so configured
//	19  scopes        claims.grant        well formed
//
// An introspected token passes 1 and 2, then introspection stands for 3 to 6, 9,
// 10, 15 and 16, and the others are checked on what the answer holds.

// checkHeader covers typ and alg. That the alg is also the key's own is for
// the key lookup to see.
func (i *issuer) checkHeader(h *header) error {
	if !i.profile.acceptsType(h.Type, h.HasType) {
		return &Error{check: CheckType, got: []string{h.Type}, want: i.profile.Types}
	}
	if !slices.Contains(i.algorithms, h.canonical) {
		return &Error{check: CheckAlgorithm, got: []string{h.Algorithm}, want: i.algorithms}
	}
	return nil
}

// checkClaims covers what a JWT and an introspection answer have in common.
func (i *issuer) checkClaims(c *claims, now time.Time, skew time.Duration) error {
	t := &c.token
	if c.hasExpiry && !now.Before(t.expiry.Add(skew)) {
		return &Error{check: CheckExpiry, cause: &timeError{"expired", t.expiry, now}}
	}
	if c.hasNBF && now.Before(t.notBefore.Add(-skew)) {
		return &Error{check: CheckNotBefore, cause: &timeError{"not before", t.notBefore, now}}
	}
	if err := i.checkAudience(t.audience); err != nil {
		return err
	}
	if c.bound {
		return refuse(CheckBinding, "the token carries cnf (RFC 7800) or is of type DPoP, and no proof of possession is checked here")
	}
	return nil
}

// timeError is put into words only if somebody reads it: expired tokens come in
// numbers.
type timeError struct {
	what    string
	at, now time.Time
}

func (e *timeError) Error() string {
	return e.what + " " + e.at.UTC().Format(time.RFC3339) + ", now " + e.now.UTC().Format(time.RFC3339)
}

func (i *issuer) checkAudience(audience []string) error {
	if len(audience) == 0 && (i.missingAudienceOK || i.profile.NoAudience) {
		return nil
	}
	for _, a := range audience {
		if slices.Contains(i.audience, a) {
			return nil
		}
	}
	if len(audience) == 0 {
		return &Error{check: CheckAudience, text: "the token names none", want: i.audience, hint: i.audienceHint(audience)}
	}
	return &Error{check: CheckAudience, got: audience, want: i.audience, hint: i.audienceHint(audience)}
}

// checkJWT covers what a JWT must pass before its key is looked up.
func (i *issuer) checkJWT(c *claims, now time.Time, skew time.Duration) error {
	if !c.hasExpiry {
		return refuse(CheckExpiry, "the token has no exp claim (RFC 9068 §2.2)")
	}
	return i.checkClaims(c, now, skew)
}

// checkProven covers what a JWT must pass once its signature was verified. It may
// read the payload several times, which is not for everybody to cause.
func (i *issuer) checkProven(c *claims) error {
	if err := i.profile.check(c, i.profile.Match, i.profile.Require); err != nil {
		return err
	}
	if err := i.checkClient(c); err != nil {
		return err
	}
	return c.grant(&i.profile)
}

// checkAnswer covers the members of an introspection answer. RFC 7662 §2.2
// requires none but active, so exp, nbf and iss count where present, while a
// missing aud is refused unless the configuration gives that up by name.
func (i *issuer) checkAnswer(c *claims, now time.Time, skew time.Duration) error {
	switch c.token.issuer {
	case i.url:
	case "":
		c.token.issuer = i.url
	default:
		return &Error{check: CheckIssuer, got: []string{c.token.issuer}, want: []string{i.url}}
	}
	if err := i.checkClaims(c, now, skew); err != nil {
		return err
	}
	if err := i.profile.check(c, i.profile.MatchAnswer, nil); err != nil {
		return err
	}
	if err := i.checkClient(c); err != nil {
		return err
	}
	return c.grant(&i.profile)
}

// checkClient covers who the token was issued to.
func (i *issuer) checkClient(c *claims) error {
	if i.clients != nil && !slices.Contains(i.clients, c.token.clientID) {
		return &Error{check: CheckClient, got: []string{c.token.clientID}, want: i.clients}
	}
	if !i.appOnly {
		return nil
	}
	if err := c.grant(&i.profile); err != nil { // App may look at scopes and roles
		return err
	}
	if !i.profile.App(new(stated).state(c.token)) { // a copy: what App does with it is not ours to know
		return &Error{check: CheckApp, got: []string{c.token.subject, c.token.clientID}}
	}
	return nil
}

// header is a JOSE header and the name under which its alg is known here.
type header struct {
	jws.Header
	canonical string
}

func parseHeader(raw []byte) (header, error) {
	h, err := jws.ParseHeader(raw)
	if err == jws.ErrCritical {
		return header{}, refuse(CheckCritical, "the header "+err.Error())
	}
	if err == jws.ErrAlgorithm {
		return header{}, refuse(CheckAlgorithm, "the header "+err.Error())
	}
	if err != nil {
		return header{}, refuse(CheckJSON, "the header "+err.Error())
	}
	return header{h, jws.Canonical(h.Algorithm)}, nil
}
