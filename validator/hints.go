package validator

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/internal/metadata"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
)

// fix tells an operator where to mend it: a field, or who has to act. It is
// found when somebody reads it, from what was found and what was wanted. Empty:
// the text has said it.
func (e *Error) fix() string {
	fix := e.hint
	switch {
	case fix != "":
	case e == errClosed:
		fix = "Close was called: it ends with the process, or a new Validator takes its place"
	case e.gaveUp:
		fix = "the request's own context ended while it waited"
	case e.token != nil:
		fix = e.token.scopeFix(e.needs)
	case e.check == CheckIssuer:
		fix = between(e.got, e.want, issuerFix)
	case e.check == CheckAudience:
		fix = between(e.got, e.want, audienceFix)
	case e.check == CheckUnavailable && (e.cause != nil || e.text != ""):
		return unavailableFix(e.cause)
	}
	if fix == "" {
		fix = e.facts().fix
	}
	return fix
}

// between is what is known about how one of got and one of want differ.
func between(got, want []string, known func(got, want string) string) string {
	for _, g := range got {
		for _, w := range want {
			if fix := known(g, w); fix != "" {
				return fix
			}
		}
	}
	return ""
}

// issuerFix knows how a token's iss and Issuer.URL come to differ.
func issuerFix(got, want string) string {
	gotEntra, wantEntra := entraIssuer.FindStringSubmatch(got), entraIssuer.FindStringSubmatch(want)
	switch {
	case got == "":
		return "an authorization server that writes no iss (RFC 9068 §2.2) cannot be told from others by its tokens: let it write Issuer.URL"
	case strings.TrimSuffix(got, "/") == strings.TrimSuffix(want, "/"):
		return "they differ in the slash at the end: Issuer.URL is compared byte for byte"
	case gotEntra != nil && wantEntra != nil && (gotEntra[1] == "") != (wantEntra[1] == ""):
		if wantEntra[1] == "" {
			return "the token is a v1.0 one: set requestedAccessTokenVersion to 2 in the API's manifest, or use providers.EntraIDv1"
		}
		return "the token is a v2.0 one: use providers.EntraID, or set requestedAccessTokenVersion to 1 in the API's manifest"
	case gotEntra != nil && wantEntra != nil:
		return "the token is another tenant's: Issuer.URL names the tenant that is trusted"
	case strings.Replace(got, "://issuer-cognito-idp.", "://cognito-idp.", 1) == strings.Replace(want, "://issuer-cognito-idp.", "://cognito-idp.", 1):
		return "the user pool writes its issuer in its other form: give providers.Cognito that issuer in place of the pool's ID"
	case strings.HasPrefix(got, want+"/oauth2/"):
		return "the token is a custom authorization server's: Issuer.URL must name that one, as providers.Okta does"
	case strings.HasPrefix(want, got+"/oauth2/"):
		return "the token is the org's own authorization server's, which is for Okta's APIs: let the client ask the custom one"
	case afterHost(got) != "" && afterHost(got) == afterHost(want):
		return "if it is the same authorization server under another name, Issuer.URL must be what iss holds, and Keys.URL can be where it is reached from here"
	}
	return ""
}

// entraIssuer matches the issuers of Entra ID tokens in all clouds, those of
// v1.0 with their scheme and host.
var entraIssuer = regexp.MustCompile(`^https://(?:(sts\.[a-z.]+)/[0-9a-f-]{36}/|login\.[a-z.]+/[0-9a-f-]{36}/v2\.0)$`)

// afterHost is the path of a URL, if it has one.
func afterHost(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	_, path, _ := strings.Cut(rest, "/")
	return path
}

// audienceFix knows how a token's aud and Issuer.Audience come to differ.
func audienceFix(got, want string) string {
	switch {
	case strings.TrimSuffix(got, "/") == strings.TrimSuffix(want, "/"):
		return "they differ in the slash at the end: Issuer.Audience is compared byte for byte, and may hold both"
	case strings.TrimPrefix(got, "api://") == strings.TrimPrefix(want, "api://"):
		return "Entra ID names an API by its URI or its client ID, as the client asked: Issuer.Audience may hold both, as for providers.EntraIDv1"
	}
	return ""
}

// audienceHint knows an issuer that puts no API into aud by itself.
func (i *issuer) audienceHint(audience []string) string {
	if !strings.Contains(i.url, "/realms/") || len(audience) > 0 && !slices.Contains(audience, "account") {
		return ""
	}
	return "Keycloak names an API in aud by an Audience mapper alone: add one with Issuer.Audience to a client scope of the client"
}

// unavailableFix knows why keys or answers cannot be had.
func unavailableFix(cause error) string {
	if _, asked := errors.AsType[*introspection.UnavailableError](cause); asked {
		return fetchFix(cause, "Introspection", "Introspection.Endpoint")
	}
	if _, fetched := errors.AsType[*jwks.UnavailableError](cause); fetched {
		return fetchFix(cause, "Keys", "Keys.URL")
	}
	return "" // the text names the field
}

// fetchFix knows why something cannot be fetched, by a field of Issuer that says
// how, and one below that goes without the issuer's metadata.
func fetchFix(cause error, field, address string) string {
	_, certificate := errors.AsType[*tls.CertificateVerificationError](cause)
	_, name := errors.AsType[*net.DNSError](cause)
	switch {
	case errors.Is(cause, metadata.ErrOtherIssuer):
		return "Issuer.URL must be what tokens hold as iss; where the server is known here by another name, " + address + " goes without its metadata"
	case errors.Is(cause, metadata.ErrNoDocument):
		return "Issuer.URL must be the issuer, not the address of its document or its keys; " + address + " goes without its metadata"
	case errors.Is(cause, metadata.ErrNoEndpoint):
		return address + " goes without the issuer's metadata"
	case certificate:
		return field + ".HTTPClient must trust the server's certificate: where TLS is inspected on the way, the root of that"
	case name:
		return "the host of Issuer.URL or of Issuer." + field + " is not known here"
	case errors.Is(cause, context.DeadlineExceeded):
		return field + ".RequestTimeout, if the authorization server is only slow"
	}
	return "Issuer." + field
}

// withoutPreamble is an error without the words by which its package says that
// something is not to be had, which was said already.
func withoutPreamble(err error) error {
	if e, ok := err.(*jwks.UnavailableError); ok {
		return e.Err
	}
	return err
}
