package validator

import (
	"errors"
	"slices"
	"time"

	"github.com/m2mguard/m2mguard/revocation"
)

// judgeRevocation is what Config.Revocations says of a token now: an error, or whether
// its issuer is to be asked in the list's place.
func (v *Validator) judgeRevocation(p *proof, route revocation.WhenStale) (asks bool, err error) {
	return p.judged(v.revoked.Check(p.marks, route))
}

// judged is what a verdict comes to.
func (p *proof) judged(verdict revocation.Verdict) (asks bool, err error) {
	switch verdict.Outcome() {
	case revocation.Passes:
		return false, nil
	case revocation.AskIssuer:
		return true, nil
	case revocation.Revoked:
		return false, p.sighting().on(revokedBy(verdict))
	}
	return false, p.sighting().on(errListStale)
}

// nobodyToAsk is the fault of a list that has issuers asked where none can be: it would
// refuse all tokens, and its configuration would not say so.
func (c *Config) nobodyToAsk() error {
	asked := func(i Issuer) bool { return i.Introspection != nil }
	if c.Revocations == nil || !c.Revocations.AsksIssuer() || c.Resolver != nil || len(c.Issuers) == 0 || slices.ContainsFunc(c.Issuers, asked) {
		return nil
	}
	return errors.New("validator: Config.Revocations has issuers asked (WhenStale or AskIssuerAtStart), and no issuer has Introspection: wanted one that has, or StaleRefuse, which does the same")
}

// notRevoked covers what the list holds alone: it spares a question to the issuer.
func (v *Validator) notRevoked(p *proof) error {
	if v.revoked == nil {
		return nil
	}
	if verdict := v.revoked.Check(p.marks, revocation.StaleGoOn); verdict.Outcome() == revocation.Revoked {
		return p.sighting().on(revokedBy(verdict))
	}
	return nil
}

func revokedBy(v revocation.Verdict) *Error {
	e := &Error{check: CheckRevoked, cause: held{v}}
	if v.Unnamed() {
		e.flaw = absent
	}
	return e
}

// held is what a list holds against a token, in words where somebody reads them.
type held struct{ revocation.Verdict }

func (h held) Error() string { return h.String() }

const whatFills = "what fills Config.Revocations, as its Observer says; revocation.Config.WhenStale, AskIssuerAtStart and DangerouslyServeAtStart, and Demand.Stale"

var (
	errListStale = &Error{
		check: CheckUnavailable, retryAfter: time.Second, text: "the list of revocations is not up to date", hint: whatFills,
	}
	errNobodyToAsk = &Error{
		check: CheckUnavailable, retryAfter: time.Second, hint: whatFills,
		text: "the list of revocations is not up to date, and the token's issuer has no Introspection to be asked in its place",
	}
)
