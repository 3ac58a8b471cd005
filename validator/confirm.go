package validator

import (
	"time"

	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// checkConfirmation covers an answer about a JWT whose signature is good. One that
// names another token, subject or client is about another token: a recording of
// an answer about somebody's active token must confirm no revoked one, and RFC
// 9701 binds an answer to its question by nothing else.
func (i *issuer) checkConfirmation(c *claims, jwt *contents, now time.Time, skew time.Duration) error {
	t := &c.token
	if err := i.checkAnswerer(c); err != nil {
		return err
	}
	for _, same := range []struct{ name, got, want string }{
		{"sub", t.subject, jwt.subject}, {"client_id", t.clientID, jwt.clientID}, {"jti", t.id, jwt.id},
	} {
		switch {
		case same.got == "" || same.want == "" || same.got == same.want:
		case same.name == "jti" && i.answerIDOK:
		default:
			return &Error{check: CheckActive, flaw: another, text: "the introspection answer is about another token, by its " + same.name, got: []string{same.got}, want: []string{same.want}}
		}
	}
	if err := c.times().check(now, skew); err != nil {
		return err
	}
	if named := false; c.eachAudience(func(strictjson.Value) bool { named = true; return false }) != nil || named {
		if err := i.checkAudience(c); err != nil {
			return err
		}
	}
	if c.token.bound != nil {
		c.token.bound = c.token.bound.and(jwt.bound)
		if jwt.bound == nil || *c.token.bound != *jwt.bound {
			return refuse(CheckBinding, "the introspection answer names another sender in cnf than the JWT, or one where the JWT names none")
		}
	}
	return i.profile.check(c, i.profile.MatchAnswer, nil)
}
