package mistakes_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

const long = "https://orders.example.com/a/name/that/is/longer/than/a/line/of/a/terminal/is/wide/and/ends/in"

// roles is a profile that reads scopes from a claim.
func roles(claim string) func(*validator.Issuer) {
	return func(i *validator.Issuer) { i.Profile.ScopeClaims = []string{claim} }
}

// extra is a token with further claims.
func extra(pairs ...any) func(*issuertest.Issuer) string {
	c := issuertest.Claims{Extra: map[string]any{}}
	for n := 0; n < len(pairs); n += 2 {
		c.Extra[pairs[n].(string)] = pairs[n+1]
	}
	return claims(c)
}

// ruled is a good token's request on a route with a rule.
func ruled(rule scopes.Rule, c issuertest.Claims) func(*testing.T) string {
	return func(t *testing.T) string {
		fake := issuertest.New(t)
		return open(t, trusting(fake)).request(t, rule, bearer(fake.Token(c)))
	}
}

// sent is a request with this Authorization header, in which TOKEN is a good one.
func sent(authorization string) func(*testing.T) string {
	return func(t *testing.T) string {
		fake := issuertest.New(t)
		return open(t, trusting(fake)).request(t, orders, strings.ReplaceAll(authorization, "TOKEN", fake.Token(issuertest.Claims{Scope: "orders:read"})))
	}
}

// tokens are mistakes that the first token shows.
var tokens = []mistake{
	{name: "wrong audience", make: mistaken(nil, claims(issuertest.Claims{Audience: []string{"https://invoices.example.com"}})),
		says: []string{"aud", `got ["https://invoices.example.com"]`, `wanted ["https://api.example.test"]`, "Issuer.Audience"}},
	{name: "wrong audience, longer than 64 bytes", make: mistaken(func(i *validator.Issuer) { i.Audience = []string{long + "/v2"} }, claims(issuertest.Claims{Audience: []string{long + "/v1"}})),
		says: []string{"aud", long + "/v1", long + "/v2", "Issuer.Audience"}},
	{name: "wrong audience, among many", make: mistaken(func(i *validator.Issuer) { i.Audience = []string{long + "/v2"} }, claims(issuertest.Claims{Audience: []string{"a", "b", "c", "d", "e", "f", long + "/v1"}})),
		says: []string{"aud", long + "/v1", long + "/v2", "more"}},
	{name: "wrong audience, by a slash", make: mistaken(func(i *validator.Issuer) { i.Audience[0] += "/" }, claims(issuertest.Claims{})),
		says: []string{"aud", `got ["https://api.example.test"]`, `wanted ["https://api.example.test/"]`, "slash at the end", "Issuer.Audience"}},
	{name: "wrong scope", make: ruled(orders, issuertest.Claims{Scope: "orders:write", ClientID: "reports"}),
		says: []string{`client "reports"`, `from "http://127.0.0.1:`, `got ["orders:write"]`, `wanted ["orders:read"]`, `read from "scope", "scp" (absent)`, "the client should ask its authorization server"}},
	{name: "no scope", make: ruled(orders, issuertest.Claims{}),
		says: []string{"got []", `wanted ["orders:read"]`, `"scope" (absent), "scp" (absent)`, "Profile.ScopeClaims", "asked its authorization server for no scope"}},
	{name: "scopes arrive as roles", make: mistaken(nil, extra("roles", []string{"admin", "orders:read"})),
		says: []string{"got []", `"scope" (absent), "scp" (absent)`, `claim "roles" holds it`, "Profile.ScopeClaims"}, not: []string{"the client should ask"}},
	{name: "scopes arrive as nested roles", make: mistaken(nil, extra("realm_access", map[string]any{"roles": []string{"admin", "orders:read"}})),
		says: []string{`"scope" (absent)`, `claim "/realm_access/roles" holds it`, "Profile.ScopeClaims"}, not: []string{"the client should ask"}},
	{name: "scopes arrive in a string of another name", make: mistaken(nil, extra("permissions", "orders:read orders:write")),
		says: []string{`claim "permissions" holds it`, "Profile.ScopeClaims"}},
	{name: "ScopeClaims \"realm_access.roles\" (dot, not pointer)", make: mistaken(roles("realm_access.roles"), extra("realm_access", map[string]any{"roles": []string{"orders:read"}})),
		says: []string{"got []", `read from "realm_access.roles" (absent)`, "JSON Pointer", `Profile.ScopeClaims should hold "/realm_access/roles" in place of "realm_access.roles"`}, not: []string{"the client should ask"}},
	{name: "ScopeClaims \"$.realm_access.roles\"", make: mistaken(roles("$.realm_access.roles"), extra("realm_access", map[string]any{"roles": []string{"orders:read"}})),
		says: []string{`Profile.ScopeClaims should hold "/realm_access/roles"`}},
	{name: "ScopeClaims without its first slash", make: mistaken(roles("realm_access/roles"), extra("realm_access", map[string]any{"roles": []string{"orders:read"}})),
		says: []string{`Profile.ScopeClaims should hold "/realm_access/roles"`}},
	{name: "ScopeClaims as a fragment of a URL", make: mistaken(roles("#/realm_access/roles"), extra("realm_access", map[string]any{"roles": []string{"orders:read"}})),
		says: []string{`Profile.ScopeClaims should hold "/realm_access/roles"`}},
	{name: "ScopeClaims with a slash too many", make: mistaken(roles("/realm_access/roles/"), extra("realm_access", map[string]any{"roles": []string{"orders:read"}})),
		says: []string{`Profile.ScopeClaims should hold "/realm_access/roles"`}},
	{name: "Require with dots", make: mistaken(func(i *validator.Issuer) { i.Profile.Require = []string{"kubernetes.namespace"} }, extra("kubernetes", map[string]any{"namespace": "billing"})),
		says: []string{"a required claim is missing", "JSON Pointer", `Profile.Require should hold "/kubernetes/namespace"`}},
	{name: "a claim that must have another value", make: mistaken(func(i *validator.Issuer) { i.Profile.Match = map[string][]string{"ver": {"2.0"}} }, extra("ver", "1.0")),
		says: []string{"claim ver has another value", `got ["1.0"]`, `wanted ["2.0"]`, "Profile"}},
	{name: "comma-separated scope", make: ruled(orders, issuertest.Claims{Scope: "orders:read,orders:write"}),
		says: []string{`got ["orders:read,orders:write"]`, `wanted ["orders:read"]`, "another character than a space", "let it write spaces"}, not: []string{"the client should ask"}},
	{name: "scopes.All() of nothing", make: ruled(scopes.All(), issuertest.Claims{Scope: "orders:read"}),
		says: []string{"the route's rule lets nobody in", "names no scope", "scopes.AnyToken"}, not: []string{"the client should ask"}},
	{name: "clock off: expired", make: mistaken(nil, claims(issuertest.Claims{IssuedAt: ago(2 * time.Hour)})),
		says: []string{"exp", "expired 2", ", now 2", "Config.ClockSkew and Config.Now"}},
	{name: "clock off by five minutes: not valid yet", make: mistaken(nil, claims(issuertest.Claims{NotBefore: ago(-5 * time.Minute)})),
		says: []string{"nbf", "not before 2", ", now 2", "Config.ClockSkew"}},
	{name: "missing exp", make: mistaken(nil, extra("exp", nil)),
		says: []string{"no exp"}},
	{name: "no iss", make: mistaken(nil, extra("iss", nil)),
		says: []string{"the token has no iss", `wanted ["http://127.0.0.1:`, "Issuer.URL"}, not: []string{`got [""]`}},
	{name: "opaque without introspection", make: mistaken(nil, func(fake *issuertest.Issuer) string { return fake.Opaque(issuertest.Claims{}) }),
		says: []string{"the token is no JWT", "no issuer here introspects", "Issuer.Introspection"}},
	{name: "alg not listed", make: mistaken(nil, claims(issuertest.Claims{Algorithm: "ES512"})),
		says: []string{"alg", `got ["ES512"]`, `"RS256"`, "Issuer.Algorithms"}},
	{name: "HS256", make: mistaken(nil, func(fake *issuertest.Issuer) string { return fake.Bad(issuertest.AlgHS256, issuertest.Claims{}) }),
		says: []string{"alg", `got ["HS256"]`, "Issuer.Algorithms"}},
	{name: "typ", make: mistaken(nil, claims(issuertest.Claims{Type: "logout+jwt"})),
		says: []string{"typ", `got ["logout+jwt"]`, `"at+jwt"`, "Issuer.Profile"}},
	{name: "AppOnly and a user's token", make: mistaken(func(i *validator.Issuer) { i.Profile, i.AppOnly = validator.RFC9068(), true }, claims(issuertest.Claims{Subject: "alice"})),
		says: []string{"app", `"alice"`, "Issuer.AppOnly"}},
	{name: "Bearer Bearer x", make: sent("Bearer Bearer TOKEN"),
		says: []string{"request", "RFC 6750", "one Authorization header with one token"}},
	{name: "a token in quotes", make: sent(`Bearer "TOKEN"`),
		says: []string{"request", "RFC 6750"}},
	{name: "a cut token", make: func(t *testing.T) string {
		fake := issuertest.New(t)
		whole := fake.Token(issuertest.Claims{Scope: "orders:read"})
		return open(t, trusting(fake)).request(t, orders, bearer(whole[:len(whole)-40]))
	}, says: []string{"invalid_token", "signature"}},
	{name: "use after Close", make: func(t *testing.T) string {
		fake := issuertest.New(t)
		a := open(t, trusting(fake))
		a.Close()
		return a.request(t, orders, bearer(fake.Token(issuertest.Claims{})))
	}, says: []string{"the validator is closed", "Close was called"}, not: []string{"authorization server"}},
}

// programs are mistakes in a program's text, and those that only a program of
// its own can see from outside.
var programs = []mistake{
	{name: "nil validator", make: panicking(func() { newMiddleware(nil, "") }), says: []string{"httpauth: New: the validator is nil"}},
	{name: "&validator.Validator{}", make: panicking(func() { newMiddleware(new(validator.Validator), "") }),
		says: []string{"httpauth: New", "not made by validator.New"}},
	{name: "&validator.Validator{}, asked by itself", make: func(t *testing.T) string {
		_, err := new(validator.Validator).Verify(t.Context(), "token")
		return err.Error()
	}, says: []string{"not made by validator.New"}},
	{name: "realm with quote", make: func(t *testing.T) string {
		a := open(t, trusting(issuertest.New(t)))
		return panicking(func() { newMiddleware(a.Validator, `or"ders`) })(t)
	}, says: []string{"Config.Realm is", "wanted printable ASCII"}},
	{name: "RequireFresh without introspection", make: func(t *testing.T) string {
		a := open(t, trusting(issuertest.New(t)))
		return panicking(func() { newMiddleware(a.Validator, "").RequireFresh(0, orders) })(t)
	}, says: []string{"RequireFresh", "has no Introspection", "http://127.0.0.1:"}},
	{name: "scopes.All(\"a b\")", make: panicking(func() { scopes.All("a b") }), says: []string{`scopes: All("a b")`, "one argument is one scope name"}},
	{name: "scopes.All(\"\")", make: panicking(func() { scopes.All("") }), says: []string{`scopes: All("")`, "one argument is one scope name"}},
	{name: "FromContext behind no Require", make: func(t *testing.T) string {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://orders.example.com", nil)
		if err != nil {
			t.Fatal(err)
		}
		return panicking(func() { validator.FromContext(r.Context()).ClientID() })(t)
	}, says: []string{"there is no token here", "not behind Require", "ginauth.Token"}},
	{name: "a proxy that strips Authorization", program: "doctor", make: func(t *testing.T) string {
		return open(t, trusting(issuertest.New(t))).request(t, orders)
	}, says: []string{"missing", "Authorization: Bearer", "a proxy on the way removes it"}},
	{name: "a clock five minutes off", program: "doctor", make: mistaken(nil, claims(issuertest.Claims{IssuedAt: ago(65 * time.Minute)})),
		says: []string{"exp", "expired 2", ", now 2", "Config.ClockSkew and Config.Now"}},
	{name: "Close forgotten", program: "a test with goleak, as this package's", make: func(t *testing.T) string {
		fake := issuertest.New(t)
		before := goleak.IgnoreCurrent()
		v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: fake.URL(), Audience: []string{issuertest.Audience}}}})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		if err := v.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		text, _, _ := strings.Cut(goleak.Find(before, goleak.IgnoreAnyFunction("net/http.(*conn).serve")).Error(), "\n")
		return text
	}, says: []string{"found unexpected goroutines"}},
}

func newMiddleware(v *validator.Validator, realm string) *httpauth.Middleware {
	return httpauth.New(v, &httpauth.Config{Realm: realm})
}
