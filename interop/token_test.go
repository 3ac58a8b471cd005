//go:build interop

package interop_test

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const (
	// audience is the API's name.
	audience = "https://orders.example.com"
	// secret is every client's. Its characters tell whether both sides encode
	// it for HTTP Basic (RFC 6749 §2.3.1).
	secret = "p+ss w%rd:/&=?~"

	readScope = "orders:read"
	bothScope = "orders:read orders:write"
)

// algorithms is everything that the server signs with.
var algorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
}

// opaque is the resource indicator (RFC 8707) of opaque tokens for the API;
// resource makes others. server/provider.mjs reads the query.
const opaque = audience + "/"

// resource returns the resource indicator of tokens that differ from opaque ones
// for the API: alg makes JWTs, aud is for another API, ttl is in seconds.
func resource(nameValues ...string) string {
	query := url.Values{}
	for i := 0; i < len(nameValues); i += 2 {
		query.Set(nameValues[i], nameValues[i+1])
	}
	return opaque + "?" + query.Encode()
}

func jwt(alg string) string { return resource("alg", alg) }

// browser sends the requests of the tests themselves.
var browser = &http.Client{Transport: &http.Transport{}}

// grant is one request for an access token.
type grant struct {
	Scope    string `json:"scope"`
	Resource string `json:"resource,omitzero"`
}

// token gets a token for the client "basic" with the client-credentials flow of
// golang.org/x/oauth2.
func (s *server) token(t *testing.T, g grant) string {
	t.Helper()
	return s.tokenOf(t, "basic", browser, g)
}

// tokenOf is token for another client, which may have to present a certificate.
func (s *server) tokenOf(t *testing.T, client string, hc *http.Client, g grant) string {
	t.Helper()
	return clientCredentials(t, s.issuer+"/token", client, hc, g)
}

// clientCredentials gets a token with the flow of golang.org/x/oauth2.
func clientCredentials(t *testing.T, endpoint, client string, hc *http.Client, g grant) string {
	t.Helper()
	cfg := clientcredentials.Config{
		ClientID:     client,
		ClientSecret: secret,
		TokenURL:     endpoint,
		Scopes:       strings.Fields(g.Scope),
		AuthStyle:    oauth2.AuthStyleInHeader,
	}
	if g.Resource != "" {
		cfg.EndpointParams = url.Values{"resource": {g.Resource}}
	}
	token, err := cfg.Token(context.WithValue(t.Context(), oauth2.HTTPClient, hc))
	if err != nil {
		t.Fatalf("a token for %s, %+v: %v", client, g, err)
	}
	return token.AccessToken
}

// openidClient gets tokens with openid-client, in the order of grants; the
// client "dpop-bound" proves possession of a key (RFC 9449).
func (s *server) openidClient(t *testing.T, client string, grants ...grant) []string {
	t.Helper()
	return openidClient(t, s.issuer, client, grants...)
}

func openidClient(t *testing.T, issuer, client string, grants ...grant) []string {
	t.Helper()
	stdin, err := json.Marshal(struct {
		Issuer   string  `json:"issuer"`
		ID       string  `json:"id"`
		Secret   string  `json:"secret"`
		DPoP     bool    `json:"dpop"`
		Requests []grant `json:"requests"`
	}{issuer, client, secret, client == "dpop-bound", grants})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), replyTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "server/tokens.mjs")
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &stderr
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("openid-client: %v: %s", err, &stderr)
	}
	var tokens []string
	if err := json.Unmarshal(stdout, &tokens); err != nil {
		t.Fatal(err)
	}
	return tokens
}

// revoke revokes an opaque token of the client "basic" (RFC 7009).
func (s *server) revoke(t *testing.T, token string) {
	t.Helper()
	revokeAt(t, s.issuer+"/token/revocation", "basic", token)
}

func revokeAt(t *testing.T, endpoint, client, token string) {
	t.Helper()
	form := strings.NewReader(url.Values{"token": {token}}.Encode())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, form)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(client, url.QueryEscape(secret))
	res, err := browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("revocation: status %d", res.StatusCode)
	}
}
