package httpauth

import (
	"errors"
	"net/http"
	"strings"

	"github.com/m2mguard/m2mguard/validator"
)

// token finds the one token that a request shows, and its scheme.
func (m *Middleware) token(r *http.Request) (scheme, token string, refusal *validator.Error) {
	if m.credentials == nil {
		return m.authorization(r.Header["Authorization"]) // net/http's own spelling; Values would compute it each time
	}
	scheme, token, err := m.credentials(r)
	if err != nil {
		return "", "", own(r.Context(), errRequest, err)
	}
	var fields []string
	if !m.elsewhere {
		fields = r.Header["Authorization"]
	}
	if refusal := m.judgeFound(fields, scheme, token); refusal != nil {
		return "", "", refusal
	}
	return scheme, token, nil
}

// judgeFound judges what Config.Credentials found as authorization judges a header. An
// Authorization field that holds something else is refused, because a proxy may
// have looked at that.
func (m *Middleware) judgeFound(fields []string, scheme, token string) *validator.Error {
	switch {
	case len(fields) > 1:
		return errBeside
	case scheme == "" && token == "" && len(fields) == 0:
		return errNotFound
	case scheme == "" && token == "":
		return errNotThere
	case len(fields) == 1 && !holds(fields[0], scheme, token):
		return errBeside
	case scheme == "":
		return errNoScheme
	case !strings.EqualFold(scheme, "Bearer") && !(m.proofs() && strings.EqualFold(scheme, "DPoP")):
		return errScheme
	case token == "":
		return errNoToken
	}
	return nil
}

// What Config.Credentials said of a request without a token to verify.
var (
	errNotFound = errNothing.Because(errors.New("Config.Credentials found none, and it alone says here where a token is"))
	errNotThere = errNothing.Because(errors.New("there is an Authorization field, but Config.Credentials, which alone says here where a token is, found none"))
	errBeside   = errRequest.Because(errors.New("there is an Authorization field beside what Config.Credentials found: take it off before this API, or Config.DangerouslyIgnoreAuthorization"))
	errNoScheme = errScheme.Because(errors.New("Config.Credentials returned a token without its scheme, wanted Bearer"))
	errNoToken  = errRequest.Because(errors.New("Config.Credentials returned the scheme without a token, wanted two empty strings for none"))
)

// holds reports whether an Authorization field is the credentials that were
// found.
func holds(field, scheme, token string) bool {
	if len(field) < len(scheme) || !strings.EqualFold(field[:len(scheme)], scheme) {
		return false
	}
	rest := field[len(scheme):]
	sent := strings.TrimLeft(rest, " ")
	return sent == token && (len(sent) < len(rest) || rest == "")
}
