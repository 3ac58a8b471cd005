package httpauth

import (
	"net/http"
	"strings"

	"github.com/m2mguard/m2mguard/validator"
)

// token finds the one token that a request shows.
func (m *Middleware) token(r *http.Request) (string, *validator.Error) {
	if m.credentials == nil {
		return bearer(r.Header)
	}
	scheme, token, err := m.credentials(r)
	if err != nil {
		return "", own(r.Context(), errRequest, err)
	}
	return elsewhere(r.Header["Authorization"], scheme, token)
}

// elsewhere judges what Config.Credentials found as bearer judges a header. An
// Authorization field that holds something else is refused, because a proxy may
// have looked at that.
func elsewhere(fields []string, scheme, token string) (string, *validator.Error) {
	switch {
	case len(fields) > 1:
		return "", errRequest
	case scheme == "" && token == "" && len(fields) == 0:
		return "", errNothing
	case scheme == "" && token == "":
		return "", errScheme
	case len(fields) == 1 && !holds(fields[0], scheme, token):
		return "", errRequest
	case !strings.EqualFold(scheme, "Bearer"):
		return "", errScheme
	case token == "":
		return "", errRequest
	}
	return token, nil
}

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
