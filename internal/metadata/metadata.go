// Package metadata discovers an issuer's endpoints (OpenID Connect Discovery
// 1.0 §4, RFC 8414 §3).
package metadata

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/m2mguard/m2mguard/internal/fetch"
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
// from: an address, without a query (RFC 8414 §2).
func CheckIssuer(raw string, allowHTTP bool) error {
	if err := fetch.CheckURL(raw, allowHTTP); err != nil {
		return err
	}
	if fetch.WithoutQuery(raw) != raw {
		return fmt.Errorf("%.200q has a query, which no issuer identifier has (RFC 8414 §2)", fetch.WithoutQuery(raw))
	}
	return nil
}

// Discover asks issuer for its metadata, first at the OpenID Connect path, then
// at the RFC 8414 one, and returns the address of want. A document counts only
// if it is a 200 with JSON whose issuer is the configured one, byte for byte
// (RFC 8414 §3.3), whatever its content type. The error names for both paths
// the URL, the status, and the issuer that was named instead.
func Discover(ctx context.Context, c *fetch.Client, issuer string, want Endpoint, allowHTTP bool) (string, error) {
	var fault error
	for _, url := range paths(issuer) {
		found, err := read(ctx, c, url, issuer, want)
		if err == nil {
			err = fetch.CheckDiscovered(issuer, found, allowHTTP)
		}
		if err == nil {
			return found, nil
		}
		err = fmt.Errorf("discovery at %s: %w", url, err)
		if fault != nil {
			err = fmt.Errorf("%w; %w", fault, err) // on one line, for logs
		}
		fault = err
		if ctx.Err() != nil {
			break
		}
	}
	return "", fault
}

// paths lists where issuer's metadata may be: OpenID Connect appends to the
// issuer's path, RFC 8414 §3.1 inserts before it.
func paths(issuer string) []string {
	trimmed := strings.TrimSuffix(issuer, "/")
	appended := trimmed + "/.well-known/openid-configuration"
	scheme, rest, _ := strings.Cut(trimmed, "://")
	host, path, nested := strings.Cut(rest, "/")
	inserted := scheme + "://" + host + "/.well-known/oauth-authorization-server"
	if nested {
		inserted += "/" + path
	}
	return []string{appended, inserted}
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
	if res.Status != http.StatusOK {
		return "", fmt.Errorf("status %d, wanted 200", res.Status)
	}
	var doc Document
	if err := json.Unmarshal(res.Body, &doc); err != nil {
		return "", fmt.Errorf("status 200, but content type %.64q and not a JSON object", res.Header.Get("Content-Type"))
	}
	if doc.Issuer != issuer {
		return "", fmt.Errorf("the document names issuer %.200q, wanted exactly %q", doc.Issuer, issuer)
	}
	found := want.of(doc)
	if found == "" {
		return "", fmt.Errorf("the document of issuer %q has no %s", issuer, want.name)
	}
	return found, nil
}
