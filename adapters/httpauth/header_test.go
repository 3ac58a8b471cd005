package httpauth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// endpoint is an introspection endpoint that knows no token and remembers which
// one it was asked about last.
type endpoint struct{ asked string }

func (e *endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	e.asked = form.Get("token")
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(strings.NewReader(`{"active":false}`)),
		Request:    r,
	}, nil
}

// introspected returns a route that asks e about every token.
func introspected(t testing.TB, e *endpoint) *httpauth.Route {
	t.Helper()
	const issuer = "https://id.example.com"
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{
			URL:      issuer,
			Audience: []string{"https://api.example.com"},
			Introspection: &introspection.Config{
				Endpoint:     issuer + "/introspect",
				Auth:         introspection.ClientSecretPost("api", introspection.Secret("secret")),
				HTTPClient:   &http.Client{Transport: e},
				CacheEntries: -1,
				MaxPerSecond: -1,
			},
		}},
		CacheEntries: -1,
		Observer:     observe.Observer{Event: func(context.Context, *observe.Event) {}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return httpauth.New(v, nil).Compile(httpauth.Gate{Rule: scopes.AnyToken()})
}

// TestSchemeIsComparedWhole: each letter counts, in either case, and no other
// character that differs from one in its case bit alone.
func TestSchemeIsComparedWhole(t *testing.T) {
	e := &endpoint{}
	route := introspected(t, e)
	check := func(scheme string) error {
		e.asked = ""
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Authorization"] = []string{scheme + " token"}
		_, failure := route.Admit(http.Header{}, r, "")
		return failure.Err
	}
	for i := range "Bearer" {
		for c := range 256 {
			scheme := "Bearer"[:i] + string([]byte{byte(c)}) + "Bearer"[i+1:]
			err := check(scheme)
			if good := strings.EqualFold(scheme, "bearer"); good != (e.asked == "token") {
				t.Errorf("%q: %v, and the endpoint was asked about %q", scheme, err, e.asked)
			} else if !good && !errors.Is(err, validator.ErrMissingToken) {
				t.Errorf("%q: %v, wanted ErrMissingToken", scheme, err)
			}
		}
	}
}

// The oracle is the grammar as the RFCs print it.
var (
	anyBearer = regexp.MustCompile("^(?i:bearer)([^!#$%&'*+.^_`|~0-9A-Za-z-]|$)") // RFC 9110 §11.1, §5.6.2
	oneToken  = regexp.MustCompile(`^(?i:bearer) +([A-Za-z0-9._~+/-]+=*)$`)       // RFC 6750 §2.1
	anything  = regexp.MustCompile(`(?s)^(?i:bearer) +([^ ].*)$`)
)

// FuzzAuthorization sends up to two header values. What is refused, how, and
// which token is taken out must be what the oracle says.
func FuzzAuthorization(f *testing.F) {
	for _, seed := range []string{
		"", "Bearer", "Bearer ", "Bearer a", "bearer a", "BEARER   a==", "Bearer =", "Bearer a=b", "Bearer a ", " Bearer a",
		"Bearer a,Bearer b", "Bearer a, b", "Bearer\ta", "Bearer\x00a", "Bearer a\x7f", "Bearer é", "Be\x01rer a", "\u212aearer a",
		"Bearerx a", "Bearer-a", "Bearer,a", "Bearer:a", "Basic dTpw", "Bearer " + strings.Repeat("a", 20_000), "Bearer -._~+/09azAZ=",
	} {
		f.Add(seed, "", false)
		f.Add(seed, "Bearer a", true)
	}
	e := &endpoint{}
	route := introspected(f, e)
	f.Fuzz(func(t *testing.T, first, second string, two bool) {
		e.asked = ""
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Authorization"] = []string{first}
		if two {
			r.Header.Add("Authorization", second)
		}
		admitted, failure := route.Admit(http.Header{}, r, "")
		if admitted != nil || failure == nil {
			t.Fatal("an unknown token was let in")
		}

		want, asked := validator.ErrMissingToken, ""
		match, rest := oneToken.FindStringSubmatch(first), anything.FindStringSubmatch(first)
		switch {
		case two:
			want = validator.ErrInvalidRequest
		case rest != nil && len(rest[1]) > validator.DefaultMaxTokenBytes:
			want = validator.ErrInvalidToken // its size is seen before its characters
		case match != nil:
			want, asked = validator.ErrInvalidToken, match[1]
		case anyBearer.MatchString(first):
			want = validator.ErrInvalidRequest
		}
		if !errors.Is(failure.Err, want) {
			t.Fatalf("%q, %q: got %v, wanted %v", first, second, failure.Err, want)
		}
		if e.asked != asked {
			t.Fatalf("%q: took %q, wanted %q", first, e.asked, asked)
		}
	})
}
