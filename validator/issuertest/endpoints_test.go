package issuertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// post sends a form, authenticated by client_secret_basic unless secret is "".
func post(t *testing.T, iss *issuertest.Issuer, target, id, secret string, form url.Values) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if secret != "" {
		r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	}
	return do(t, iss, r)
}

func introspect(t *testing.T, iss *issuertest.Issuer, token string) map[string]any {
	t.Helper()
	got := post(t, iss, iss.IntrospectionURL(), issuertest.ClientID, issuertest.ClientSecret, url.Values{"token": {token}})
	if got.status != http.StatusOK {
		t.Fatalf("introspection answered %d", got.status)
	}
	var claims map[string]any
	if err := json.Unmarshal([]byte(got.body), &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// The client that real programs use gets tokens that verify, by both ways of
// authenticating, with characters in its secret that need encoding.
func TestClientCredentials(t *testing.T) {
	iss := issuertest.New(t)
	iss.Register(issuertest.ClientRegistration{
		ID: "a client", Secret: "s:+&%é", Scopes: []string{"read", "write"}, Algorithm: "ES256",
		AccessTokenTTL: time.Minute, Audience: []string{"https://orders.example.test"},
	})
	for name, style := range map[string]oauth2.AuthStyle{"basic": oauth2.AuthStyleInHeader, "post": oauth2.AuthStyleInParams} {
		t.Run(name, func(t *testing.T) {
			config := clientcredentials.Config{
				ClientID: "a client", ClientSecret: "s:+&%é", TokenURL: iss.TokenURL(), AuthStyle: style, Scopes: []string{"read"},
			}
			got, err := config.Token(context.WithValue(t.Context(), oauth2.HTTPClient, iss.Client()))
			if err != nil {
				t.Fatal(err)
			}
			if got.TokenType != "Bearer" || got.RefreshToken != "" || got.Extra("expires_in") != 60.0 || got.Extra("scope") != "read" {
				t.Errorf("type %q, expires in %v, scope %v", got.TokenType, got.Extra("expires_in"), got.Extra("scope"))
			}
			token := parse(t, got.AccessToken)
			if token.header["alg"] != "ES256" || !verifies(t, iss, got.AccessToken) {
				t.Errorf("the signature by %v does not verify", token.header["alg"])
			}
			lifetime := token.claims["exp"].(float64) - token.claims["iat"].(float64)
			if token.claims["client_id"] != "a client" || token.claims["aud"] != "https://orders.example.test" || lifetime != 60 {
				t.Errorf("claims %v", token.claims)
			}
		})
	}
	if n := iss.Requests(issuertest.TokenEndpoint); n != 2 {
		t.Errorf("%d requests counted", n)
	}
}

func TestTokenEndpoint(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	iss.Register(issuertest.ClientRegistration{ID: "scoped", Secret: "s", Scopes: []string{"read", "write"}})
	grant := func(pairs ...string) url.Values {
		form := url.Values{"grant_type": {"client_credentials"}}
		for i := 0; i < len(pairs); i += 2 {
			form.Add(pairs[i], pairs[i+1])
		}
		return form
	}
	tests := []struct {
		name       string
		id, secret string
		form       url.Values
		status     int
		error      string
		scope      any
		audience   any
	}{
		{"all scopes unasked", "scoped", "s", grant(), 200, "", "read write", issuertest.Audience},
		{"one scope", "scoped", "s", grant("scope", "read"), 200, "", "read", issuertest.Audience},
		{"any scope", issuertest.ClientID, issuertest.ClientSecret, grant("scope", "x y"), 200, "", "x y", issuertest.Audience},
		{"no scope", issuertest.ClientID, issuertest.ClientSecret, grant(), 200, "", nil, issuertest.Audience},
		{"audience", "scoped", "s", grant("audience", "a"), 200, "", "read write", "a"},
		{"resources", "scoped", "s", grant("resource", "https://a.test", "resource", "https://b.test"), 200, "", "read write", []any{"https://a.test", "https://b.test"}},
		{"post", "", "", grant("client_id", "scoped", "client_secret", "s"), 200, "", "read write", issuertest.Audience},

		{"scope too wide", "scoped", "s", grant("scope", "read admin"), 400, "invalid_scope", nil, nil},
		{"relative resource", "scoped", "s", grant("resource", "/a"), 400, "invalid_target", nil, nil},
		{"resource with fragment", "scoped", "s", grant("resource", "https://a.test#f"), 400, "invalid_target", nil, nil},
		{"other grant", "scoped", "s", url.Values{"grant_type": {"password"}}, 400, "unsupported_grant_type", nil, nil},
		{"no grant", "scoped", "s", url.Values{}, 400, "invalid_request", nil, nil},
		{"repeated parameter", "scoped", "s", grant("scope", "read", "scope", "write"), 400, "invalid_request", nil, nil},
		{"two ways to authenticate", "scoped", "s", grant("client_secret", "s"), 400, "invalid_request", nil, nil},
		{"wrong secret", "scoped", "t", grant(), 401, "invalid_client", nil, nil},
		{"wrong secret in the form", "", "", grant("client_id", "scoped", "client_secret", "t"), 401, "invalid_client", nil, nil},
		{"unknown client", "nobody", "s", grant(), 401, "invalid_client", nil, nil},
		{"no client", "", "", grant(), 401, "invalid_client", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := post(t, iss, iss.TokenURL(), tt.id, tt.secret, tt.form)
			if got.status != tt.status || got.header.Get("Cache-Control") != "no-store" {
				t.Fatalf("status %d with %v", got.status, got.header)
			}
			if challenged := got.header.Get("WWW-Authenticate") != ""; challenged != (tt.status == 401 && tt.secret != "") {
				t.Errorf("challenged: %v", challenged)
			}
			var body struct {
				Error       string `json:"error"`
				AccessToken string `json:"access_token"`
			}
			if err := json.Unmarshal([]byte(got.body), &body); err != nil {
				t.Fatal(err)
			}
			if body.Error != tt.error {
				t.Fatalf("error %q, want %q", body.Error, tt.error)
			}
			if tt.error == "" {
				claims := parse(t, body.AccessToken).claims
				if diff := cmp.Diff([]any{tt.scope, tt.audience}, []any{claims["scope"], claims["aud"]}); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestRequestsThatAreNotUnderstood(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	if got := get(t, iss, iss.TokenURL()); got.status != http.StatusMethodNotAllowed {
		t.Errorf("GET of the token endpoint: %d", got.status)
	}
	if got := get(t, iss, iss.URL()+"/elsewhere"); got.status != http.StatusNotFound {
		t.Errorf("GET elsewhere: %d", got.status)
	}
	for _, target := range []string{iss.IntrospectionURL(), iss.RevocationURL()} {
		got := post(t, iss, target, issuertest.ClientID, issuertest.ClientSecret, nil)
		if got.status != http.StatusBadRequest || !strings.Contains(got.body, "invalid_request") {
			t.Errorf("%s without a token: %d", target, got.status)
		}
		got = post(t, iss, target, issuertest.ClientID, "wrong", url.Values{"token": {"t"}})
		if got.status != http.StatusUnauthorized {
			t.Errorf("%s with a wrong secret: %d", target, got.status)
		}
	}
	bad, err := http.NewRequestWithContext(t.Context(), http.MethodPost, iss.TokenURL(), strings.NewReader("%"))
	if err != nil {
		t.Fatal(err)
	}
	bad.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if got := do(t, iss, bad); got.status != http.StatusBadRequest {
		t.Errorf("a broken form: %d", got.status)
	}
}

func TestIntrospection(t *testing.T) {
	iss := newFixed(t)
	claims := issuertest.Claims{Scope: "read", NotBefore: fixed, Extra: map[string]any{"jti": "1", "big": int64(9007199254740993)}}
	want := map[string]any{
		"active": true, "token_type": "Bearer", "iss": iss.URL(), "aud": issuertest.Audience,
		"sub": issuertest.ClientID, "client_id": issuertest.ClientID, "scope": "read",
		"iat": 1.8e9, "nbf": 1.8e9, "exp": 1.8e9 + 3600, "jti": "1", "big": 9007199254740993.0,
	}
	inactive := map[string]any{"active": false}
	for name, issue := range map[string]func(issuertest.Claims) string{"opaque": iss.Opaque, "JWT": iss.Token} {
		t.Run(name, func(t *testing.T) {
			token := issue(claims)
			if diff := cmp.Diff(want, introspect(t, iss, token)); diff != "" {
				t.Error(diff)
			}
			iss.SetClock(func() time.Time { return fixed.Add(time.Hour) })
			if diff := cmp.Diff(inactive, introspect(t, iss, token)); diff != "" {
				t.Errorf("expired: %s", diff)
			}
			iss.SetClock(func() time.Time { return fixed })
			iss.Revoke(token)
			if diff := cmp.Diff(inactive, introspect(t, iss, token)); diff != "" {
				t.Errorf("revoked: %s", diff)
			}
		})
	}
	old := iss.Token(claims)
	iss.Rotate()
	iss.Retire()
	for name, token := range map[string]string{
		"retired key": old, "garbage": "a.b.c", "never issued": "x", "two dots": "..",
		"tampered": iss.Bad(issuertest.Tampered, claims), "alg none": iss.Bad(issuertest.AlgNone, claims),
		"other key": iss.Bad(issuertest.OtherKey, claims), "malformed": iss.Bad(issuertest.Malformed, claims),
	} {
		if diff := cmp.Diff(inactive, introspect(t, iss, token)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestOpaqueClientAndRevocation(t *testing.T) {
	iss := issuertest.New(t)
	iss.Register(issuertest.ClientRegistration{ID: "opaque", Secret: "s", Opaque: true})
	config := clientcredentials.Config{ClientID: "opaque", ClientSecret: "s", TokenURL: iss.TokenURL()}
	token, err := config.Token(context.WithValue(t.Context(), oauth2.HTTPClient, iss.Client()))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(token.AccessToken, ".") || introspect(t, iss, token.AccessToken)["client_id"] != "opaque" {
		t.Error("not an opaque token of the client")
	}
	form := url.Values{"token": {token.AccessToken}}
	if got := post(t, iss, iss.RevocationURL(), issuertest.ClientID, issuertest.ClientSecret, form); got.status != http.StatusBadRequest {
		t.Errorf("revoked by another client: %d", got.status)
	}
	if introspect(t, iss, token.AccessToken)["active"] != true {
		t.Error("another client's revocation took effect")
	}
	for range 2 {
		if got := post(t, iss, iss.RevocationURL(), "opaque", "s", form); got.status != http.StatusOK {
			t.Errorf("revoked by its client: %d", got.status)
		}
	}
	if introspect(t, iss, token.AccessToken)["active"] != false {
		t.Error("still active")
	}
	if got := post(t, iss, iss.RevocationURL(), "opaque", "s", url.Values{"token": {"unknown"}}); got.status != http.StatusOK {
		t.Errorf("an unknown token: %d", got.status)
	}
	if n := iss.Requests(issuertest.Revocation); n != 4 {
		t.Errorf("%d revocations counted", n)
	}
	if n := iss.Requests(issuertest.Introspection); n != 3 {
		t.Errorf("%d introspections counted", n)
	}

	config.ClientSecret = "wrong"
	var refused *oauth2.RetrieveError
	if _, err := config.Token(context.WithValue(t.Context(), oauth2.HTTPClient, iss.Client())); !errors.As(err, &refused) || refused.ErrorCode != "invalid_client" {
		t.Errorf("wrong secret: %v", err)
	}
}
