package httpauth

import (
	"net/http"
	"strings"

	"github.com/m2mguard/m2mguard/validator"
)

// challenger writes challenges where more than a plain one is called for: where proofs
// of possession are checked, or the API's metadata is published.
type challenger struct {
	realm      string
	accepts    validator.Accepts
	provenOnly bool // no token is accepted by the scheme Bearer
	urls       *publicURLs
}

func (m *Middleware) challenger() challenger {
	return challenger{m.realm, m.accepts, m.provenOnly(), &m.urls}
}

// plain reports whether challenges are as they are without either.
func (c *challenger) plain() bool { return c.accepts.ProofAlgorithms == nil && len(c.urls.bases) == 0 }

// write writes what goes into WWW-Authenticate: the challenge of the scheme that e is
// about, and with 401 the other's, if a client may use that. Both stand in one line,
// because some proxies pass on no second one (RFC 9110 §11.6.1).
func (c *challenger) write(host string, shown *validator.Request, a *answer, e *validator.Error, needs string) string {
	dpop := c.accepts.ProofAlgorithms != nil
	first, second := "Bearer", "DPoP"
	bearerToo := !c.provenOnly && e.Scheme() == ""
	if dpop && (e.Scheme() != "" || c.provenOnly || strings.EqualFold(shown.Scheme, "DPoP") && e.Code() != "") {
		first, second = second, first
	}
	var b strings.Builder
	c.one(&b, host, first, e.Code(), e.Description(), needs)
	if dpop && a.status == http.StatusUnauthorized && (second == "DPoP" || bearerToo) {
		b.WriteString(", ")
		c.one(&b, host, second, "", "", needs)
	}
	return b.String()
}

// one writes a challenge (RFC 6750 §3, RFC 9449 §7.1, RFC 9728 §5.1). None of the
// values needs escaping: realm and URLs were checked, descriptions and algorithms are
// constants, and RFC 6749 §3.3 keeps '"' and '\' out of scopes.
func (c *challenger) one(b *strings.Builder, host, scheme, code, description, needs string) {
	b.WriteString(scheme + ` realm="` + c.realm + `"`)
	if code != "" {
		b.WriteString(`, error="` + code + `", error_description="` + description + `"`)
	}
	if needs != "" {
		b.WriteString(`, scope="` + needs + `"`)
	}
	if len(c.urls.bases) > 0 {
		b.WriteString(`, resource_metadata="` + c.urls.metadataOf(host) + `"`)
	}
	if scheme == "DPoP" {
		b.WriteString(`, algs="` + strings.Join(c.accepts.ProofAlgorithms, " ") + `"`)
	}
}
