package validator

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
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
	case e.gaveUp:
		fix = "the request's own context ended while it waited"
	case e.token != nil:
		fix = e.token.scopeFix(e.needs)
	case e.check == CheckIssuer:
		fix = issuerHint(e.got, e.want)
	case e.check == CheckAudience:
		fix = audienceHint(e.got, e.want)
	case e.check == CheckUnavailable && (e.cause != nil || e.text != ""):
		return unavailableFix(e.cause)
	}
	if fix == "" {
		fix = e.facts().fix
	}
	return fix
}

// longestHinted bounds the values from a token about which more is said than that
// they differ: whoever made one up longer than any name pays for no comparison.
const longestHinted = 512

// issuerHint knows how a token's iss and the URLs of the issuers come to differ.
func issuerHint(got, want []string) string {
	for _, g := range got {
		if len(g) > longestHinted {
			continue
		}
		form := formOf(g) // once, however many issuers there are
		for _, w := range want {
			if fix := issuerFix(form, formOf(w)); fix != "" {
				return fix
			}
		}
	}
	return ""
}

// issuerForm is an issuer's URL, taken apart.
type issuerForm struct {
	url       string
	bare      string // without a slash at the end
	entra     entra
	pool      string // of Cognito, in either form
	afterHost string // the path, if there is one
}

func formOf(url string) issuerForm {
	f := issuerForm{url: url, bare: strings.TrimSuffix(url, "/"), entra: entraOf(url)}
	scheme, rest, _ := strings.Cut(url, "://")
	if pool, ok := strings.CutPrefix(strings.TrimPrefix(rest, "issuer-"), "cognito-idp."); ok && scheme == "https" {
		f.pool = pool
	}
	_, f.afterHost, _ = strings.Cut(rest, "/")
	return f
}

// issuerFix knows how one iss and one Issuer.URL come to differ.
func issuerFix(got, want issuerForm) string {
	switch {
	case got.bare == want.bare:
		return "they differ in the slash at the end: Issuer.URL is compared byte for byte"
	case got.entra == entraV1 && want.entra == entraV2:
		return "the token is a v1.0 one: set requestedAccessTokenVersion to 2 in the API's manifest, or use providers.EntraIDv1"
	case got.entra == entraV2 && want.entra == entraV1:
		return "the token is a v2.0 one: use providers.EntraID, or set requestedAccessTokenVersion to 1 in the API's manifest"
	case got.entra != 0 && want.entra != 0:
		return "the token is another tenant's: Issuer.URL names the tenant that is trusted"
	case got.pool != "" && got.pool == want.pool:
		return "the user pool writes its issuer in its other form: give providers.Cognito that issuer in place of the pool's ID"
	case strings.HasPrefix(got.url, want.url) && strings.HasPrefix(got.url[len(want.url):], "/oauth2/"):
		return "the token is a custom authorization server's: Issuer.URL must name that one, as providers.Okta does"
	case strings.HasPrefix(want.url, got.url) && strings.HasPrefix(want.url[len(got.url):], "/oauth2/"):
		return "the token is the org's own authorization server's, which is for Okta's APIs: let the client ask the custom one"
	case want.url == "https://token.actions.githubusercontent.com" && strings.HasPrefix(got.url, want.url+"/"):
		return "the repository's enterprise has an issuer of its own at GitHub: if it is yours, Issuer.URL must be that"
	case want.afterHost == "adfs/services/trust" && got.afterHost == "adfs":
		return "AD FS names itself so in ID tokens: the client must send its access token"
	case got.afterHost != "" && got.afterHost == want.afterHost:
		return "if it is the same authorization server under another name, Issuer.URL must be what iss holds, and Keys.URL can be where it is reached from here"
	}
	return ""
}

// noIssuer is for an authorization server that writes no iss.
const noIssuer = "an authorization server that writes no iss (RFC 9068 §2.2) cannot be told from others by its tokens: let it write Issuer.URL, or set Issuer.TrustDomain for SPIFFE, or Issuer.DangerouslyAcceptMissingIssuer, whose comment says what is lost"

// emptyIssuerFix is for one that writes an iss of no length.
const emptyIssuerFix = "let the authorization server write Issuer.URL into iss; Issuer.DangerouslyAcceptMissingIssuer is for tokens without that claim"

// entra is of which version an Entra ID issuer is, in any cloud.
type entra uint8

const (
	entraV1 entra = iota + 1
	entraV2
)

// entraOf is zero for any other issuer.
func entraOf(url string) entra {
	rest, https := strings.CutPrefix(url, "https://")
	host, path, _ := strings.Cut(rest, "/")
	tenant, below, _ := strings.Cut(path, "/")
	if !https || len(tenant) != len("00000000-0000-0000-0000-000000000000") || strings.Trim(tenant, "0123456789abcdef-") != "" {
		return 0
	}
	switch {
	case strings.HasPrefix(host, "sts.") && below == "" && strings.HasSuffix(path, "/"):
		return entraV1
	case strings.HasPrefix(host, "login.") && below == "v2.0":
		return entraV2
	}
	return 0
}

// audienceHint knows how a token's aud and Issuer.Audience come to differ.
func audienceHint(got, want []string) string {
	for _, g := range got {
		if len(g) > longestHinted {
			continue
		}
		for _, w := range want {
			switch {
			case strings.TrimSuffix(g, "/") == strings.TrimSuffix(w, "/"):
				return "they differ in the slash at the end: Issuer.Audience is compared byte for byte, and may hold both"
			case strings.TrimPrefix(g, "api://") == strings.TrimPrefix(w, "api://"):
				return "Entra ID names an API by its URI or its client ID, as the client asked: Issuer.Audience may hold both, as for providers.EntraIDv1"
			}
		}
	}
	return ""
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
	dial, _ := errors.AsType[*net.OpError](cause)
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
		return "the host of Issuer.URL or of Issuer." + field + " is not known here; where the server has another name here, " + address + " is that address, and goes without its metadata"
	case dial != nil && dial.Op == "dial":
		return "Issuer." + field + "; where the server is reached from here by another name or port, " + address + " is that address, and goes without its metadata"
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
