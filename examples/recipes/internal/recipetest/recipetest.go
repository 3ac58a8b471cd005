// Package recipetest asks the APIs of the recipes over a connection.
package recipetest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// Route is a guarded route, and scopes that are enough for it and too few.
type Route struct {
	Method, Path string
	Good, Few    string
	// Asks is the scope attribute of the challenge to who has too few.
	Asks string
}

// Ask starts an issuer and the API that trusts it, and asks each route as a stranger,
// with a bad token, with too few scopes and with enough. What a route answers then
// names the client, so that its token is seen to reach the handler.
func Ask(t *testing.T, build func(*validator.Validator) http.Handler, routes []Route) {
	t.Helper()
	iss := issuertest.New(t)
	server := httptest.NewServer(build(Validator(t, iss.URL(), issuertest.Audience)))
	t.Cleanup(server.Close)
	for _, route := range routes {
		t.Run(route.Method+" "+route.Path, func(t *testing.T) {
			good := issuertest.Claims{Scope: route.Good}
			for name, tc := range map[string]struct {
				token     string
				status    int
				challenge string
				body      string
			}{
				"no token":       {"", http.StatusUnauthorized, `Bearer realm="api"`, `"unauthorized"`},
				"another's key":  {iss.Bad(issuertest.OtherKey, good), http.StatusUnauthorized, `error="invalid_token"`, `"invalid_token"`},
				"expired":        {iss.Bad(issuertest.Expired, good), http.StatusUnauthorized, `error="invalid_token"`, `"invalid_token"`},
				"too few scopes": {iss.Token(issuertest.Claims{Scope: route.Few}), http.StatusForbidden, `scope="` + route.Asks + `"`, `"insufficient_scope"`},
				"good":           {iss.Token(good), http.StatusOK, "", issuertest.ClientID},
			} {
				status, challenge, body := send(t, server.URL, route.Method, route.Path, tc.token)
				if status != tc.status || !strings.Contains(challenge, tc.challenge) || !strings.Contains(body, tc.body) {
					t.Errorf("%s: %d, challenge %q, body %q, wanted %d, %q and %q", name, status, challenge, body, tc.status, tc.challenge, tc.body)
				}
			}
		})
	}
}

// Statuses is what paths answer to a stranger, and to a client that has scope.
func Statuses(t *testing.T, build func(*validator.Validator) http.Handler, scope string, patterns ...string) (stranger, client []int) {
	t.Helper()
	iss := issuertest.New(t)
	server := httptest.NewServer(build(Validator(t, iss.URL(), issuertest.Audience)))
	t.Cleanup(server.Close)
	for _, pattern := range patterns {
		method, path, _ := strings.Cut(pattern, " ")
		status, _, _ := send(t, server.URL, method, path, "")
		stranger = append(stranger, status)
		status, _, _ = send(t, server.URL, method, path, iss.Token(issuertest.Claims{Scope: scope}))
		client = append(client, status)
	}
	return stranger, client
}

// Validator is one that trusts one issuer, until the test ends.
func Validator(t *testing.T, issuer, audience string) *validator.Validator {
	t.Helper()
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: issuer, Audience: []string{audience}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func send(t *testing.T, url, method, path, token string) (status int, challenge, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // bytes, more than any recipe answers
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.Join(resp.Header.Values("WWW-Authenticate"), ", "), string(text)
}
