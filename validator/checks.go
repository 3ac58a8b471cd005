package validator

import (
	"slices"
	"time"

	"github.com/m2mguard/m2mguard/internal/jws"
)

// This page is the whole list of what a token must pass, in order. What costs
// nothing comes first, so that garbage is refused before it causes a fetch or a
// signature verification; nothing is believed, and no token returned, before
// the last line. RFC 8725 §3 gives the reasons for most of it.
//
//	 1  size          Verify              at most Config.MaxTokenBytes, before anything is parsed
//	 2  three parts   prove               else it is opaque, which Keys alone cannot prove
//	 3  base64url     jws.AppendDecode    strict, one spelling for each value
//	 4  JSON          jws.ParseHeader     strict, header and payload
//	                  parseClaims
//	 5  crit, b64     jws.ParseHeader     refused
//	 6  iss           issuerOf            a configured issuer, byte for byte; no other is asked anything
//	 7  typ           checkHeader         an access token's
//	 8  alg           checkHeader         on the issuer's list
//	 9  exp           checkClaims         required; now < exp + skew
//	10  nbf           checkClaims         now >= nbf - skew
//	11  iat           parseClaims         a NumericDate if present
//	12  aud           checkClaims         one of ours
//	13  cnf           checkClaims         a sender-bound token is no bearer token
//	14  claims        Profile.check       what the profile asks for
//	15  client, app   checkClient         on the list of clients; no user's token, if so configured
//	16  key           jwks.Lookup         of this issuer, and made for this alg
//	17  signature     jws.Verify          by that key, under that alg
//
// An introspected token passes 1, then introspection stands for 2 to 8, 16 and
// 17, and 9 to 15 are checked on what the answer holds.

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
	t := c.token
	if c.hasExpiry && !now.Before(t.expiry.Add(skew)) {
		return &Error{check: CheckExpiry, text: "expired " + t.expiry.UTC().Format(time.RFC3339) + ", now " + now.UTC().Format(time.RFC3339)}
	}
	if c.hasNBF && now.Before(t.notBefore.Add(-skew)) {
		return &Error{check: CheckNotBefore, text: "not before " + t.notBefore.UTC().Format(time.RFC3339) + ", now " + now.UTC().Format(time.RFC3339)}
	}
	if err := i.checkAudience(t.audience); err != nil {
		return err
	}
	if c.bound {
		return refuse(CheckBinding, "the token carries cnf (RFC 7800), and no proof of possession is checked here")
	}
	return nil
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
		return &Error{check: CheckAudience, text: "the token names none", want: i.audience}
	}
	return &Error{check: CheckAudience, got: audience, want: i.audience}
}

// checkJWT covers the claims of a JWT: those of any token, and exp and what
// else the profile requires.
func (i *issuer) checkJWT(c *claims, now time.Time, skew time.Duration) error {
	if !c.hasExpiry {
		return refuse(CheckExpiry, "the token has no exp claim (RFC 9068 §2.2)")
	}
	if err := i.checkClaims(c, now, skew); err != nil {
		return err
	}
	if err := i.profile.check(c, i.profile.Match, i.profile.Require); err != nil {
		return err
	}
	return i.checkClient(c)
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
	return i.checkClient(c)
}

// checkClient fills in what the token grants, which Profile.App may look at,
// and covers who it was issued to.
func (i *issuer) checkClient(c *claims) error {
	if err := c.grant(&i.profile); err != nil {
		return err
	}
	if i.clients != nil && !slices.Contains(i.clients, c.token.clientID) {
		return &Error{check: CheckClient, got: []string{c.token.clientID}, want: i.clients}
	}
	if i.appOnly && !i.profile.App(c.token) {
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
