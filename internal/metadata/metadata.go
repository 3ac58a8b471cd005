// Package metadata discovers an issuer's endpoints (OpenID Connect Discovery
// 1.0 §4, RFC 8414 §3).
package metadata

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/m2mguard/m2mguard/internal/fetch"
	"github.com/m2mguard/m2mguard/internal/quote"
	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// Document is what this module uses of an issuer's metadata.
type Document struct {
	Issuer                string `json:"issuer"`
	JWKSURI               string `json:"jwks_uri"`
	IntrospectionEndpoint string `json:"introspection_endpoint"`
	// MTLSAliases is decoded by MTLSIntrospection alone.
	MTLSAliases jsontext.Value `json:"mtls_endpoint_aliases"`
}

// An Endpoint picks the member of a Document that the caller is after.
type Endpoint struct {
	name string // what errors call it
	of   func(Document) string
}

// The endpoints that can be asked for.
var (
	JWKS          = Endpoint{"jwks_uri", func(d Document) string { return d.JWKSURI }}
	Introspection = Endpoint{"introspection_endpoint", func(d Document) string { return d.IntrospectionEndpoint }}
	// MTLSIntrospection is for a client that authenticates by its certificate: an
	// alias, where there is one, comes before the endpoint for all (RFC 8705 §5).
	MTLSIntrospection = Endpoint{"introspection_endpoint that can be read, mtls_endpoint_aliases included", mtlsIntrospection}
)

func mtlsIntrospection(d Document) string {
	if d.MTLSAliases == nil {
		return d.IntrospectionEndpoint
	}
	var aliases Document
	if err := json.Unmarshal(d.MTLSAliases, &aliases); err != nil {
		return ""
	}
	return cmp.Or(aliases.IntrospectionEndpoint, d.IntrospectionEndpoint)
}

// CheckIssuer says what is wrong with raw as an issuer identifier to discover
// from: an address, without a query (RFC 8414 §2), and not that of the document.
func CheckIssuer(raw string, allowHTTP bool) error {
	if err := fetch.CheckURL(raw, allowHTTP); err != nil {
		return err
	}
	if fetch.WithoutQuery(raw) != raw {
		return fmt.Errorf("%s has a query, which no issuer identifier has (RFC 8414 §2)", fetch.Shown(raw))
	}
	if IsDocument(raw) {
		return fmt.Errorf("%s is the address of the issuer's document, wanted the issuer", fetch.Shown(raw))
	}
	return nil
}

// IsDocument reports whether a URL is that of an issuer's metadata, which people
// give where the issuer, its keys or an endpoint of it is wanted.
func IsDocument(url string) bool {
	return strings.Contains(url, "/.well-known/openid-configuration") || strings.Contains(url, "/.well-known/oauth-authorization-server")
}

// What errors.Is finds in an error of Discover, for whoever knows by what field
// it is mended.
var (
	// ErrNoDocument: there was an answer, and it was no metadata.
	ErrNoDocument = errors.New("no metadata")
	// ErrOtherIssuer: there was metadata, of an issuer that calls itself otherwise.
	ErrOtherIssuer = errors.New("the metadata of another issuer")
	// ErrNoEndpoint: the issuer's metadata does not name what was wanted.
	ErrNoEndpoint = errors.New("metadata without the endpoint")
)

// mismatch is an error of a kind, in words that hold what was found.
type mismatch struct {
	kind error
	text string
}

func (m mismatch) Error() string { return m.text }

func (m mismatch) Unwrap() error { return m.kind }

// Discover asks issuer for its metadata, at one place after the other, and returns
// the address of want. A document counts only if it is a 200 with JSON whose issuer is
// the configured one, byte for byte (RFC 8414 §3.3), whatever its content type. The
// error names each URL that was asked, and for each the status, or the issuer that was
// named instead.
func Discover(ctx context.Context, c *fetch.Client, issuer string, want Endpoint, allowHTTP bool) (string, error) {
	var faults []fault
	for n, url := range places(issuer) {
		if n == standard && slices.ContainsFunc(faults, fault.unanswered) {
			break // nor would the others be, each only after its time
		}
		found, err := read(ctx, c, url, issuer, want)
		if err == nil {
			err = fetch.CheckDiscovered(issuer, found, allowHTTP)
		}
		if err == nil {
			return found, nil
		}
		faults = noted(faults, url, err)
		if ctx.Err() != nil {
			break
		}
	}
	return "", joined(faults)
}

// standard is how many of places are those of the standards.
const standard = 2

// places lists where issuer's metadata may be. OpenID Connect appends its name to the
// issuer's path, RFC 8414 §3.1 inserts another one before it; and for an issuer with
// a path, some servers have each name at the other's place (RFC 8414 §5).
func places(issuer string) []string {
	const oidc, oauth = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"
	issuer = strings.TrimSuffix(issuer, "/")
	scheme, rest, _ := strings.Cut(issuer, "://")
	host, path, nested := strings.Cut(rest, "/")
	if !nested {
		return []string{issuer + oidc, issuer + oauth}
	}
	root := scheme + "://" + host
	return []string{issuer + oidc, root + oauth + "/" + path, issuer + oauth, root + oidc + "/" + path}
}

// fault is what was wrong at some places.
type fault struct {
	urls []string
	err  error
}

// unanswered reports whether there was no answer.
func (f fault) unanswered() bool {
	_, failed := errors.AsType[*fetch.Failure](f.err)
	return failed
}

// noted adds what was wrong at url, beside where the same was wrong.
func noted(faults []fault, url string, err error) []fault {
	for i, f := range faults {
		if fetch.Cause(f.err).Error() == fetch.Cause(err).Error() {
			faults[i].urls = append(f.urls, url)
			return faults
		}
	}
	return append(faults, fault{[]string{url}, err})
}

// joined is one error, on one line for logs.
func joined(faults []fault) (err error) {
	for _, f := range faults {
		last := len(f.urls) - 1
		at := f.urls[last]
		if last > 0 {
			at = strings.Join(f.urls[:last], ", ") + " and " + at
		}
		if err == nil {
			err = fmt.Errorf("discovery at %s: %w", at, fetch.Cause(f.err))
		} else {
			err = fmt.Errorf("%w; at %s: %w", err, at, fetch.Cause(f.err))
		}
	}
	return err
}

func read(ctx context.Context, c *fetch.Client, url, issuer string, want Endpoint) (string, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Accept", "application/json")
	res, err := c.Do(ctx, req)
	if err != nil {
		return "", err
	}
	switch {
	case res.Status >= 300 && res.Status < 400:
		return "", mismatch{ErrNoDocument, fmt.Sprintf("status %d, wanted 200: redirects are not followed", res.Status)}
	case res.Status != http.StatusOK:
		return "", mismatch{ErrNoDocument, fmt.Sprintf("status %d, wanted 200", res.Status)}
	}
	var doc Document
	if err := json.Unmarshal(res.Body, &doc); err != nil {
		text := "status 200, but " + res.Kind() + " and not a JSON object"
		if why := strictjson.Why(res.Body, err); why != "" {
			text += ": " + why
		}
		return "", mismatch{ErrNoDocument, text}
	}
	if doc.Issuer != issuer {
		return "", mismatch{ErrOtherIssuer, fmt.Sprintf("the document names issuer %s, wanted exactly %s", quote.Beside(doc.Issuer, issuer), quote.Beside(issuer, doc.Issuer))}
	}
	found := want.of(doc)
	if found == "" {
		return "", mismatch{ErrNoEndpoint, "the document of issuer " + quote.Value(issuer) + " has no " + want.name}
	}
	return found, nil
}
