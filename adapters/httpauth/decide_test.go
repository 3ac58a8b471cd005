package httpauth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"net/http"
	"testing"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestDecide: a request that is no *http.Request is judged by what it shows, and its URL
// is the one that is configured and its path.
func TestDecide(t *testing.T) {
	iss := issuertest.New(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}}, DPoP: &dpop.Config{},
		Observer: observe.Observer{Event: func(_ context.Context, e *observe.Event) {
			if e.Kind == observe.Refused { // told by who asks, others by who fetches keys
				told = append(told, e.Check)
			}
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	const one, two = "https://api.example.com", "https://other.example.com"
	bound := iss.Token(issuertest.Claims{Scope: "orders:read", JWKThumbprint: issuertest.Thumbprint(key.Public())})
	plain := "Bearer " + iss.Token(issuertest.Claims{Scope: "orders:read"})
	proof := func(url string) []string {
		return []string{issuertest.Proof(key, issuertest.ProofClaims{Method: http.MethodPost, URL: url, Token: bound})}
	}
	for name, tc := range map[string]struct {
		urls          []string
		path          string
		authorization []string
		proofs        []string
		want          int // 200 for who is let in
		check         string
	}{
		"a bearer token":              {[]string{one}, "/a/B", []string{plain}, nil, 200, ""},
		"none":                        {[]string{one}, "/a/B", nil, nil, 401, "missing"},
		"two":                         {[]string{one}, "/a/B", []string{plain, plain}, nil, 400, "request"},
		"a proof":                     {[]string{one}, "/a/B", []string{"DPoP " + bound}, proof(one + "/a/B"), 200, ""},
		"a proof for another path":    {[]string{one}, "/a/B", []string{"DPoP " + bound}, proof(one + "/a/C"), 401, "proof"},
		"a proof for another host":    {[]string{one}, "/a/B", []string{"DPoP " + bound}, proof(two + "/a/B"), 401, "proof"},
		"dots in the path":            {[]string{one}, "/a/../B", []string{"DPoP " + bound}, proof(one + "/B"), 400, "request"},
		"several public URLs":         {[]string{one, two}, "/a/B", []string{"DPoP " + bound}, proof(one + "/a/B"), 421, "host"},
		"several, and a bearer token": {[]string{one, two}, "/a/B", []string{plain}, nil, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			told = nil
			route := httpauth.New(v, &httpauth.Config{PublicURL: tc.urls}).Compile(httpauth.Gate{Rule: scopes.All("orders:read")})
			shown := &validator.Request{Method: http.MethodPost, URL: tc.path, Route: tc.path, Proofs: tc.proofs}
			ctx, accepted, failure := route.Decide(t.Context(), shown, tc.authorization)
			status := 200
			if failure != nil {
				status = failure.Status
			}
			if status != tc.want || (ctx == nil) != (status != 200) || (accepted.Token == nil) != (status != 200) {
				t.Fatalf("%d, wanted %d; %v, %+v, %v", status, tc.want, ctx, accepted, failure)
			}
			if status == 200 && validator.FromContext(ctx) != accepted.Token {
				t.Error("the context holds another token")
			}
			if tc.check != "" && (len(told) != 1 || told[0] != tc.check) {
				t.Errorf("the observer was told %q, wanted %s", told, tc.check)
			}
		})
	}
}

// TestAnswer and Denied say what ends a request after Decide.
func TestAnswer(t *testing.T) {
	iss := issuertest.New(t)
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	auth := httpauth.New(v, nil)
	strict := auth.Compile(httpauth.Gate{Rule: scopes.AnyToken()})
	open := auth.Compile(httpauth.Gate{Rule: scopes.AnyToken(), DangerouslyReportOnly: true})
	expired, revoked := validator.NewError(validator.CheckExpiry), validator.NewError(validator.CheckRevoked)
	for _, tc := range []struct {
		route *httpauth.Route
		err   *validator.Error
		want  int // 0 for none
	}{{strict, expired, 401}, {strict, revoked, 401}, {strict, validator.NewError(validator.CheckUnavailable), 503}, {open, expired, 0}, {open, revoked, 401}} {
		f := tc.route.Answer(new(validator.Request), tc.err)
		if (f == nil) != (tc.want == 0) || f != nil && (f.Status != tc.want || f.Err != tc.err) {
			t.Errorf("%v: %+v, wanted %d", tc.err, f, tc.want)
		}
	}
	for err, want := range map[error]int{errors.New("no"): 403, validator.ErrUnavailable: 503} {
		if f := auth.Denied(t.Context(), new(validator.Request), nil, err); f.Status != want || f.Challenge != "" {
			t.Errorf("%v: %+v, wanted %d", err, f, want)
		}
	}
}
