package validator

import "time"

// checkLifetime bounds how long a token or an answer is good for, by its own account
// (Issuer.MaxTokenLifetime). An iat to come would lead the bound as far ahead.
func (i *issuer) checkLifetime(c *claims, now time.Time, skew time.Duration) error {
	issued := c.token.issuedAt
	switch {
	case i.maxLifetime == 0:
		return nil
	case !c.hasExpiry:
		return &Error{check: CheckExpiry, flaw: absent, text: "there is no exp", hint: "let the authorization server write exp, or clear Issuer.MaxTokenLifetime"}
	case issued.IsZero():
		return &Error{check: CheckIssuedAt, flaw: absent, text: "there is no iat", hint: "let the authorization server write iat, or clear Issuer.MaxTokenLifetime"}
	case issued.After(now.Add(skew)):
		return &Error{check: CheckIssuedAt, flaw: different, cause: &timeError{"issued", issued, now}}
	}
	if lifetime := c.token.expiry.Sub(issued); lifetime > i.maxLifetime {
		return &Error{check: CheckExpiry, flaw: excessive, cause: &lifetimeError{lifetime, i.maxLifetime}}
	}
	return nil
}

// lifetimeError is put into words only if somebody reads it.
type lifetimeError struct{ lifetime, most time.Duration }

func (e *lifetimeError) Error() string {
	return "good for " + e.lifetime.String() + " from its iat, wanted at most " + e.most.String()
}
