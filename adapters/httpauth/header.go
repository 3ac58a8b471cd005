package httpauth

import (
	"errors"

	"github.com/m2mguard/m2mguard/validator"
)

// The refusals of requests that hold no token to verify.
var (
	errNothing = validator.NewError(validator.CheckMissing) // no credentials at all, which Optional lets through
	errScheme  = validator.NewError(validator.CheckMissing) // others than a bearer token
	errNoDPoP  = errScheme.Because(errors.New("the scheme is DPoP, and the validator's Config.DPoP is not set"))
	errRequest = validator.NewError(validator.CheckRequest)
)

// proofs reports whether proofs of possession are checked.
func (m *Middleware) proofs() bool { return m.accepts.ProofAlgorithms != nil }

// authorization takes what should be a token out of the Authorization field: "Bearer"
// in any case, or "DPoP" where proofs are checked, at least one space, the rest (RFC
// 6750 §2.1, RFC 9449 §7.1, RFC 9110 §11.4).
// Without Config.Credentials it is the only place that is looked at; a token in a
// form body or in the query (RFC 6750 §2.2 and §2.3) ends up in logs and caches.
//
// No header is errNothing, another scheme errScheme. A second header is errRequest
// whatever its scheme, because a proxy may have looked at the other one. That
// the rest is exactly one token, and not several joined by commas, is for Verify
// to see: a token that it knows need not be read again.
func (m *Middleware) authorization(values []string) (scheme, token string, refusal *validator.Error) {
	if len(values) == 0 {
		return "", "", errNothing
	}
	if len(values) > 1 {
		return "", "", errRequest
	}
	rest, ok := cutScheme(values[0], "bearer")
	if !ok {
		if rest, ok = cutScheme(values[0], "dpop"); ok && !m.proofs() {
			return "", "", errNoDPoP
		}
	}
	if !ok {
		return "", "", errScheme
	}
	token = rest
	for len(token) > 0 && token[0] == ' ' {
		token = token[1:]
	}
	if len(token) == len(rest) || token == "" {
		return "", "", errRequest
	}
	return values[0][:len(values[0])-len(rest)], token, nil
}

// cutScheme returns what follows the scheme if that is this one, whose name is in
// small letters. A scheme is a token (RFC 9110 §11.1): it ends before the first
// character that cannot be in one.
func cutScheme(value, scheme string) (rest string, ok bool) {
	if len(value) < len(scheme) {
		return "", false
	}
	for i := range len(scheme) {
		if value[i]|0x20 != scheme[i] { // ASCII letters differ from their other case in this bit alone
			return "", false
		}
	}
	rest = value[len(scheme):]
	return rest, rest == "" || !isTokenChar[rest[0]]
}

// isTokenChar tells which bytes may be part of a scheme (RFC 9110 §5.6.2).
var isTokenChar = func() (in [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~") {
		in[c] = true
	}
	return in
}()
