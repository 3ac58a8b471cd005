package validator

import (
	"fmt"
	"slices"
	"time"

	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// This page is the whole list of what a token must pass, in order. What costs
// next to nothing comes first, so that garbage is refused before it causes a
// fetch or a signature verification, and what may cost more comes after the
// signature. Nothing is believed, and no token returned, before the last line.
// RFC 8725 §3 gives the reasons for most of it.
//
//	 1  size          verify              at most Config.MaxTokenBytes, before anything is parsed
//	 2  characters    isB64Token          those of RFC 6750 §2.1
//	 3  three parts   prove               else it is opaque or encrypted, which Keys alone cannot prove;
//	                                      what begins with a JOSE header is never opaque
//	 4  base64url     jws.AppendDecode    strict, one spelling for each value
//	 5  JSON          jws.ParseHeader     strict, header and payload; what holds too many pieces fails size
//	 6  crit, b64     jws.ParseHeader     refused
//	 7  forms         claims.parse        strings are strings, exp, nbf and iat are NumericDates
//	 8  iss           whose               a configured issuer, byte for byte; no other is asked anything;
//	                                      without iss, the issuer of the trust domain in sub, or the one
//	                                      that may leave its name out
//	 9  typ           checkType           an access token's
//	10  alg           checkAlgorithm      on the issuer's list; one that is on none is refused before forms
//	11  exp           commonChecks        required; now < exp + skew
//	12  nbf           commonChecks        now >= nbf - skew
//	13  lifetime      checkLifetime       exp - iat at most what the issuer's tokens may live
//	14  aud           checkAudience       one of ours
//	15  cnf           checkBinding        names the sender's key or certificate, if anything, and nothing
//	                                      that nobody here can prove
//	16  sub           checkTrustDomain    a SPIFFE ID in the issuer's trust domain, if it has one
//	17  key           jwks.Candidates     of this issuer, and made for this alg; several, where none is named
//	18  signature     jws.Verify          by that key, under that alg
//	19  claims        Profile.check       what the profile asks for
//	20  client, app   checkClient, App    on the list of clients; no user's token, if so configured
//	21  scopes        claims.grant        well formed; a name that can be no scope grants nothing
//	22  own check     issuer.accept       what a preset's list, and the API itself, ask of the issuer's tokens
//
// Beside the signature, these cost at most as much as three RS256 signatures,
// whatever a token of Config.MaxTokenBytes's default holds.
//
// An introspected token passes size and characters; if it reads as a JWT, also the
// next four and cnf, so that nobody is asked about what two readers may take
// differently, and nothing that it says of itself makes it better. Then introspection
// stands for typ, alg, key and signature, and the others are checked on what the
// answer holds.

// checkHeader covers typ and alg.
func (i *issuer) checkHeader(h *header) error {
	if err := i.checkType(h); err != nil {
		return err
	}
	return i.checkAlgorithm(h)
}

func (i *issuer) checkType(h *header) error {
	if !i.profile.acceptsType(h.Type, h.HasType) {
		e := &Error{check: CheckType, got: []string{h.Type}, want: i.profile.Types}
		if !h.HasType {
			e.flaw, e.text, e.got = absent, "the token has no typ", nil
		}
		return e
	}
	return nil
}

// checkAlgorithm covers the issuer's list. That the alg is also the key's own is for
// the key lookup to see.
func (i *issuer) checkAlgorithm(h *header) error {
	if !slices.Contains(i.algorithms, h.canonical) {
		return &Error{check: CheckAlgorithm, got: []string{h.Algorithm}, want: i.algorithms}
	}
	return nil
}

// commonChecks are exp to sub, which a JWT and an introspection answer have in common.
var commonChecks = [...]struct {
	name  string
	check Check
}{
	{"exp", CheckExpiry}, {"nbf", CheckNotBefore}, {"lifetime", CheckExpiry}, {"aud", CheckAudience}, {"cnf", CheckBinding}, {"sub", CheckClaims},
}

// judge makes the n-th of them. Functions in the table would have each refused token's
// claims on the heap.
func (i *issuer) judge(n int, c *claims, now time.Time, skew time.Duration) error {
	switch commonChecks[n].name {
	case "exp":
		return c.times().checkExpiry(now, skew)
	case "nbf":
		return c.times().checkNotBefore(now, skew)
	case "lifetime":
		return i.checkLifetime(c, now, skew)
	case "aud":
		return i.checkAudience(c)
	case "cnf":
		return i.checkBinding(c)
	}
	return i.checkTrustDomain(c)
}

func (i *issuer) checkClaims(c *claims, now time.Time, skew time.Duration) error {
	var err error
	for n := 0; n < len(commonChecks) && err == nil; n++ {
		err = i.judge(n, c, now, skew)
	}
	return err
}

// checkBinding covers what a token asks of its sender, as far as the token alone
// tells.
func (i *issuer) checkBinding(c *claims) error {
	switch b := c.token.bound; {
	case b == nil && i.binding == BindingRequired:
		return &Error{check: CheckBinding, flaw: absent, text: "it is a bearer token", hint: "Issuer.Binding accepts bound ones alone: let the authorization server bind this client's tokens"}
	case b == nil:
		return nil
	case b.unknown != "":
		return refuse(CheckBinding, b.unknown)
	case b.key != "" && !i.proofs:
		return errNoProofs
	}
	return nil
}

var errNoProofs = &Error{
	check: CheckBinding, text: "the token is bound to a key by cnf.jkt (RFC 9449 §6.1) or its token_type, and Config.DPoP is not set",
	hint: "with Config.DPoP, and the public URL that the adapters need then, such tokens are accepted",
}

// checkAudience looks for one of our names. It makes no list of those in aud,
// which may be many: that is for what is proven.
func (i *issuer) checkAudience(c *claims) error {
	var few [512]byte
	longest := strictjson.Longest(i.longestName)
	room := few[:min(longest, len(few))]
	if longest > len(few) {
		room = make([]byte, longest)
	}
	ours, names := false, 0
	err := c.eachAudience(func(name strictjson.Value) bool {
		names++
		if !ours {
			text, fits := name.Text(room) // once, however many names we have
			ours = fits && i.ours[string(text)]
		}
		return true
	})
	switch {
	case err != nil:
		return claimError(CheckAudience, "aud", err)
	case ours:
		return nil
	case names > 0:
		return i.foreign(c, names)
	case i.missingAudienceOK || i.profile.NoAudience:
		return nil
	}
	return &Error{check: CheckAudience, flaw: absent, text: "the token names none", want: i.audience, hint: i.audienceHint(nil)}
}

// eachAudience calls visit for each name in aud, which may be absent.
func (c *claims) eachAudience(visit func(strictjson.Value) bool) error {
	if c.audience == nil {
		return nil
	}
	return c.audience.EachString(visit)
}

// foreign shows the first of so many names, none of which is ours.
func (i *issuer) foreign(c *claims, names int) *Error {
	const most = 8
	e := &Error{check: CheckAudience, want: i.audience}
	_ = c.eachAudience(func(name strictjson.Value) bool { // it was well formed before
		text, _ := name.String()
		e.got = append(e.got, text)
		return len(e.got) < most
	})
	e.hint = i.audienceHint(e.got)
	if names > most {
		e.text = fmt.Sprintf("none of its %d names, of which these are the first", names)
	}
	return e
}

// checkJWT covers what a JWT must pass before its key is looked up.
func (i *issuer) checkJWT(c *claims, now time.Time, skew time.Duration) error {
	if err := c.checkEnds(); err != nil {
		return err
	}
	return i.checkClaims(c, now, skew)
}

func (c *claims) checkEnds() error {
	if !c.hasExpiry {
		return refuseAs(CheckExpiry, absent, "the token has no exp claim (RFC 9068 §2.2)")
	}
	return nil
}

// checkProven covers what a JWT must pass once its signature was verified. It may
// read the payload several times, which is not for everybody to cause.
func (i *issuer) checkProven(c *claims) error {
	if err := i.profile.check(c, i.profile.Match, i.profile.Require); err != nil {
		return err
	}
	return i.checkRest(c)
}

// checkAnswer covers the members of an introspection answer. RFC 7662 §2.2
// requires none but active, so exp, nbf and iss count where present, while a
// missing aud is refused unless the configuration gives that up by name.
func (i *issuer) checkAnswer(c *claims, now time.Time, skew time.Duration) error {
	if err := i.checkAnswerer(c); err != nil {
		return err
	}
	c.token.issuer = i.url
	if err := i.checkClaims(c, now, skew); err != nil {
		return err
	}
	if err := i.profile.check(c, i.profile.MatchAnswer, nil); err != nil {
		return err
	}
	return i.checkRest(c)
}

// checkAnswerer holds the iss of an answer, where it is there, against the issuer.
func (i *issuer) checkAnswerer(c *claims) error {
	switch {
	case !c.hasIssuer || c.token.issuer == i.url:
		return nil
	case c.token.issuer == "":
		return emptyIssuer([]string{i.url})
	}
	return &Error{check: CheckIssuer, got: []string{c.token.issuer}, want: []string{i.url}}
}

// checkRest covers what comes last for both.
func (i *issuer) checkRest(c *claims) error {
	if err := i.checkClient(c); err != nil {
		return err
	}
	if err := i.checkApp(c); err != nil {
		return err
	}
	if err := c.grant(&i.profile); err != nil {
		return err
	}
	return i.accept(c)
}

// accept asks what Issuer.Insist was given, and then Profile.Accept, once everything
// else is known.
func (i *issuer) accept(c *claims) error {
	for _, condition := range i.conditions {
		if err := c.meets(condition, "Issuer.Insist", "the list that the issuer's preset was given"); err != nil {
			return err
		}
	}
	if i.profile.Accept == nil {
		return nil
	}
	return c.meets(i.profile.Accept, "Profile.Accept", "")
}

// checkClient covers who the token was issued to.
func (i *issuer) checkClient(c *claims) error {
	if i.clients != nil && !slices.Contains(i.clients, c.token.clientID) {
		e := &Error{check: CheckClient, got: []string{c.token.clientID}, want: i.clients}
		if c.token.clientID == "" {
			e.flaw, e.text, e.got = absent, "the token names none", nil
		}
		return e
	}
	return nil
}

// checkApp covers what the token was issued for.
func (i *issuer) checkApp(c *claims) error {
	if !i.appOnly {
		return nil
	}
	if err := c.grant(&i.profile); err != nil { // App may look at scopes and roles
		return err
	}
	app := false
	if err := trusted("Profile.App", func() { app = i.profile.App(new(stated).state(c.token)) }); err != nil { // a copy: what App does with it is not ours to know
		return err
	}
	if !app {
		return &Error{check: CheckApp, got: []string{c.token.subject, c.token.clientID}}
	}
	return nil
}

// checkTrustDomain holds the subject against the issuer's trust domain, if it has
// one: its keys speak for no other (SPIFFE-ID §3).
func (i *issuer) checkTrustDomain(c *claims) error {
	if i.trustDomain == "" {
		return nil
	}
	const fix = "Issuer.TrustDomain, or let the authorization server write the workload's SPIFFE ID into sub (JWT-SVID §3.1)"
	switch domain, problem := trustDomainOf(c.token.subject); {
	case problem != "":
		return &Error{check: CheckClaims, flaw: malformed, text: "claim sub " + problem, hint: fix}
	case domain != i.trustDomain:
		return &Error{check: CheckClaims, flaw: different, text: "claim sub is in another trust domain", got: []string{domain}, want: []string{i.trustDomain}, hint: fix}
	}
	return nil
}
