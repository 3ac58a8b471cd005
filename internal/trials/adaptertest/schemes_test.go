package adaptertest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

var descriptions = regexp.MustCompile(`error_description="[^"]*"`)

// TestSchemesOfBoundTokens: which token may be shown how, and what an adapter answers.
func TestSchemesOfBoundTokens(t *testing.T) {
	iss := issuertest.New(t)
	key, other := testdata.PrivateKey("p256-a"), testdata.PrivateKey("p256-b")
	bearer := iss.Token(issuertest.Claims{Scope: "orders:read"})
	bound := iss.Token(issuertest.Claims{Scope: "orders:read", JWKThumbprint: issuertest.Thumbprint(key.Public())})
	poor := iss.Token(issuertest.Claims{JWKThumbprint: issuertest.Thumbprint(key.Public())})
	expired := iss.Bad(issuertest.Expired, issuertest.Claims{JWKThumbprint: issuertest.Thumbprint(key.Public())})
	algs := `algs="` + strings.Join(dpopAlgorithms(t), " ") + `"`
	about := func(scheme string) string {
		text := scheme + ` realm="api", scope="orders:read", resource_metadata="` + public + `/.well-known/oauth-protected-resource"`
		if scheme == "DPoP" {
			text += ", " + algs
		}
		return text
	}
	with := func(scheme, code string) string {
		return strings.Replace(about(scheme), `realm="api"`, `realm="api", error="`+code+`", error_description="…"`, 1)
	}
	for name, tc := range map[string]struct {
		request      func() *http.Request
		status       int
		challenge    string // with BindingByToken
		boundOnly    string // with BindingRequired
		boundOnlyToo bool   // 200 there as well
	}{
		"nothing":                    {func() *http.Request { return show("", "", nil, "GET", "/require") }, 401, about("Bearer") + ", " + about("DPoP"), about("DPoP"), false},
		"another scheme":             {func() *http.Request { return show("Basic", "dTpw", nil, "GET", "/require") }, 401, about("Bearer") + ", " + about("DPoP"), about("DPoP"), false},
		"a bearer token":             {func() *http.Request { return show("Bearer", bearer, nil, "GET", "/require") }, 200, "", with("DPoP", "invalid_token"), false},
		"a bearer token and a proof": {func() *http.Request { return show("Bearer", bearer, key, "GET", "/require") }, 200, "", with("DPoP", "invalid_token"), false},
		"a bearer token as DPoP":     {func() *http.Request { return show("DPoP", bearer, key, "GET", "/require") }, 401, with("DPoP", "invalid_token") + ", " + about("Bearer"), with("DPoP", "invalid_token"), false},
		"a bound token":              {func() *http.Request { return show("DPoP", bound, key, "GET", "/require") }, 200, "", "", true},
		"in another case":            {func() *http.Request { return show("dpop", bound, key, "GET", "/require") }, 200, "", "", true},
		"with a query":               {func() *http.Request { return show("DPoP", bound, key, "GET", "/require?a=b") }, 200, "", "", true},
		"as a bearer token":          {func() *http.Request { return show("Bearer", bound, key, "GET", "/require") }, 401, with("DPoP", "invalid_token"), with("DPoP", "invalid_token"), false},
		"without a proof":            {func() *http.Request { return show("DPoP", bound, nil, "GET", "/require") }, 401, with("DPoP", "invalid_dpop_proof"), with("DPoP", "invalid_dpop_proof"), false},
		"with another's proof":       {func() *http.Request { return show("DPoP", bound, other, "GET", "/require") }, 401, with("DPoP", "invalid_token"), with("DPoP", "invalid_token"), false},
		"an expired one":             {func() *http.Request { return show("DPoP", expired, key, "GET", "/require") }, 401, with("DPoP", "invalid_token") + ", " + about("Bearer"), with("DPoP", "invalid_token"), false},
		"a bound token for too few":  {func() *http.Request { return show("DPoP", poor, key, "GET", "/require") }, 403, with("DPoP", "insufficient_scope"), with("DPoP", "insufficient_scope"), false},
		"two words for a token":      {func() *http.Request { return show("DPoP", "a b", key, "GET", "/require") }, 400, with("DPoP", "invalid_request"), with("DPoP", "invalid_request"), false},
		"a scheme without a token": {func() *http.Request {
			r := show("", "", nil, "GET", "/require")
			r.Header.Set("Authorization", "DPoP")
			return r
		}, 400, with("Bearer", "invalid_request"), with("DPoP", "invalid_request"), false},
		"a scheme that begins so": {func() *http.Request { return show("DPoPX", bound, key, "GET", "/require") }, 401, about("Bearer") + ", " + about("DPoP"), about("DPoP"), false},
		"for another method":      {func() *http.Request { r := show("DPoP", bound, key, "POST", "/require"); r.Method = "GET"; return r }, 401, with("DPoP", "invalid_dpop_proof"), with("DPoP", "invalid_dpop_proof"), false},
		"for another path": {func() *http.Request {
			r := show("DPoP", bound, key, "GET", "/require/orders")
			r.RequestURI = "/require"
			r.URL.Path = "/require"
			return r
		}, 401, with("DPoP", "invalid_dpop_proof"), with("DPoP", "invalid_dpop_proof"), false},
		"to a forged Host": {func() *http.Request {
			r := show("DPoP", bound, key, "GET", "/require")
			r.Host = "evil.example"
			r.Header.Set("X-Forwarded-Host", "evil.example")
			return r
		}, 200, "", "", true},
		"by an absolute request line": {func() *http.Request {
			r := show("DPoP", bound, key, "GET", "/require")
			r.RequestURI = "http://evil.example/require"
			return r
		}, 200, "", "", true},
	} {
		for _, required := range []bool{false, true} {
			status, want := tc.status, tc.challenge
			if required {
				if want = tc.boundOnly; status == 200 && !tc.boundOnlyToo {
					status = 401
				}
			}
			v := provingValidator(t, iss, func(c *validator.Config) {
				if required {
					c.Issuers[0].Binding = validator.BindingRequired
				}
			})
			for _, f := range frameworks {
				t.Run(fmt.Sprintf("%s, %s, bound only: %v", f.name, name, required), func(t *testing.T) {
					w := httptest.NewRecorder()
					f.api(v, &httpauth.Config{PublicURL: []string{public}}, serve).ServeHTTP(w, tc.request())
					got := descriptions.ReplaceAllString(w.Header().Get("WWW-Authenticate"), `error_description="…"`)
					if w.Code != status || got != want {
						t.Errorf("%d %s\nwanted %d %s", w.Code, got, status, want)
					}
				})
			}
		}
	}
}

func dpopAlgorithms(t testing.TB) []string {
	t.Helper()
	v, err := dpop.New(dpop.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return v.Algorithms()
}
