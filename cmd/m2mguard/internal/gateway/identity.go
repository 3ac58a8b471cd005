package gateway

import (
	"errors"
	"net/http"
	"strings"

	"github.com/m2mguard/m2mguard/validator"
)

// identity tells the API behind who calls.
type identity interface {
	// write sets the fields of its kind. An error refuses the request.
	write(h http.Header, token *validator.Token) error
}

// headers is the identity in plain fields, for an API that nobody reaches but through the
// proxy.
type headers struct{}

// The fields of plain identity.
const (
	fieldClient  = "X-Auth-Client"
	fieldSubject = "X-Auth-Subject"
	fieldIssuer  = "X-Auth-Issuer"
	fieldScopes  = "X-Auth-Scopes"
	fieldRoles   = "X-Auth-Roles"
	fieldTenant  = "X-Auth-Tenant"
)

// identityFields are those of either kind, as net/http has them. Each answer that lets
// through holds all of them, empty where there is nothing to say: a proxy overwrites with
// what it is answered, and Caddy hands on a placeholder's own name where a field is absent.
var identityFields = [...]string{fieldIdentity, fieldClient, fieldSubject, fieldIssuer, fieldScopes, fieldRoles, fieldTenant}

func (headers) write(h http.Header, token *validator.Token) error {
	roles := token.Roles()
	for _, role := range roles {
		if strings.ContainsRune(role, ' ') {
			return errUnwritable
		}
	}
	for _, f := range [...]struct{ name, value string }{
		{fieldClient, token.ClientID()}, {fieldSubject, token.Subject()}, {fieldIssuer, token.Issuer()},
		{fieldScopes, token.Scopes().String()}, {fieldRoles, strings.Join(roles, " ")}, {fieldTenant, token.Tenant()},
	} {
		if !writable(f.value) {
			return errUnwritable
		}
		h[f.name] = []string{f.value}
	}
	return nil
}

// nothing is the value of a field where there is nothing to say.
var nothing = []string{""}

// errUnwritable is a token with a name that a header field cannot hold, or that a reader
// would take for several.
var errUnwritable = errors.New("a name in the token (client, subject, role or tenant) holds a blank where a list has blanks between its elements, or a character beyond printable ASCII, and so cannot stand in a header field: set serve.identity.jwt in the place of headers")

// writable reports whether every reader of a field takes value for what it is.
func writable(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' || c > '~' {
			return false
		}
	}
	return strings.TrimSpace(value) == value
}
