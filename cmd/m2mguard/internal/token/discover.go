package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// metadata is what is used of an issuer's (RFC 8414 §2, RFC 8705 §5).
type metadata struct {
	Issuer        string `json:"issuer"`
	TokenEndpoint string `json:"token_endpoint"`
	Aliases       struct {
		TokenEndpoint string `json:"token_endpoint"`
	} `json:"mtls_endpoint_aliases"`
}

// discover asks the issuer for its token endpoint, at the places of OpenID Connect
// Discovery 1.0 §4 and RFC 8414 §3.1.
func (t *Token) discover(ctx context.Context) (string, error) {
	issuer := t.request.Issuer
	u, err := checked(issuer, t.request.AllowHTTP)
	if err != nil {
		return "", fmt.Errorf("issuer %w", err)
	}
	path := strings.TrimSuffix(u.Path, "/")
	var faults []error
	for _, place := range []string{
		strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration",
		u.Scheme + "://" + u.Host + "/.well-known/oauth-authorization-server" + path,
	} {
		found, err := t.ask(ctx, place)
		if err == nil {
			return found, t.discovered(u, found)
		}
		faults = append(faults, err)
	}
	return "", errors.Join(faults...)
}

// discovered refuses an endpoint that an https issuer would have us go to by http, on
// loopback too: whoever can write metadata would have the credentials.
func (t *Token) discovered(issuer *url.URL, found string) error {
	u, err := checked(found, t.request.AllowHTTP)
	switch {
	case err != nil:
		return fmt.Errorf("the issuer's token endpoint %w", err)
	case issuer.Scheme == "https" && u.Scheme != "https" && !t.request.AllowHTTP:
		return fmt.Errorf("the issuer's token endpoint is %s://%s, wanted https, as the issuer is", u.Scheme, u.Host)
	}
	return nil
}

func (t *Token) ask(ctx context.Context, place string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return "", errors.New("issuer is no URL")
	}
	place = bare(req.URL)
	resp, err := t.client.Do(req)
	if err != nil {
		return "", Told(req, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return "", Told(req, err)
	}
	var doc metadata
	switch {
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("%s answers %d, wanted 200", place, resp.StatusCode)
	case json.Unmarshal(body, &doc) != nil:
		return "", fmt.Errorf("%s answers what is no metadata", place)
	case doc.Issuer != t.request.Issuer:
		return "", fmt.Errorf("%s is the metadata of %.200q, wanted %q", place, doc.Issuer, t.request.Issuer)
	case t.request.MTLS && doc.Aliases.TokenEndpoint != "":
		return doc.Aliases.TokenEndpoint, nil
	case doc.TokenEndpoint == "":
		return "", fmt.Errorf("%s names no token_endpoint: give it as tokenEndpoint", place)
	}
	return doc.TokenEndpoint, nil
}
