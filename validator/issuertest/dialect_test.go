package issuertest_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// dialects are all that there are.
var dialects = func() (all []issuertest.Dialect) {
	for d := issuertest.Dialect(1); !strings.HasPrefix(d.String(), "Dialect("); d++ {
		all = append(all, d)
	}
	return all
}()

// TestDialectForEachProvider: whoever uses a preset can test against tokens of that shape.
func TestDialectForEachProvider(t *testing.T) {
	for _, p := range testdata.Providers() {
		if p.Name != "RFC9068" && !slices.ContainsFunc(dialects, func(d issuertest.Dialect) bool { return d.String() == p.Name }) {
			t.Errorf("no dialect is called %s: dialect.go wants a constant and a row for it", p.Name)
		}
	}
}

// A dialect writes no header or claim that the provider's documentation does
// not have, and leaves out nothing that decides.
func TestDialectsAreAsDocumented(t *testing.T) {
	iss := newFixed(t)
	documented := make(map[string]testdata.Provider)
	for _, p := range testdata.Providers() {
		documented[p.Name] = p
	}
	// What the documentation has in its examples and no reader looks at.
	incidental := []string{
		"aio", "rh", "idp", "auth_time", "allowed-origins", "email_verified", "realm_access", "resource_access", "nbf",
		"active", "token_type", "name", "given_name", "nickname", "groups", "entitlements", "roles", "role", "user_identities", "groups_direct",
		"id", "tag", "permissions", "createdTime", "updatedTime", "urn:zitadel:iam:org:project:roles", "urn:zitadel:iam:org:project:178204173316174381:roles",
		"urn:zitadel:iam:user:resourceowner:name", "urn:zitadel:iam:user:resourceowner:primary_domain",
	}
	for _, d := range dialects {
		t.Run(d.String(), func(t *testing.T) {
			p, ok := documented[d.String()]
			if !ok {
				t.Fatal("no documented tokens")
			}
			var header, claims map[string]any
			if err := json.Unmarshal(p.Tokens[0].Claims, &claims); err != nil {
				t.Fatal(err)
			}
			raw := iss.DialectToken(d, issuertest.Claims{Issuer: p.Issuer, Scope: "orders.read"})
			if p.Tokens[0].Header == nil {
				answer := introspect(t, iss, raw)
				if diff := cmp.Diff(names(claims, incidental...), names(answer, incidental...)); diff != "" {
					t.Error(diff)
				}
				return
			}
			if err := json.Unmarshal(p.Tokens[0].Header, &header); err != nil {
				t.Fatal(err)
			}
			delete(header, "x5t") // kid under its older name
			got := parse(t, raw)
			if diff := cmp.Diff(names(header), names(got.header)); diff != "" {
				t.Error(diff)
			}
			wanted := names(claims, incidental...)
			if diff := cmp.Diff(wanted, names(got.claims, incidental...)); diff != "" {
				t.Error(diff)
			}
			if _, ok := claims["iss"]; ok && got.claims["iss"] != p.Issuer {
				t.Errorf("iss %v", got.claims["iss"])
			}
		})
	}
}

func TestDialectClaimsWin(t *testing.T) {
	iss := newFixed(t)
	got := parse(t, iss.DialectToken(issuertest.EntraID, issuertest.Claims{
		Subject: "s", ClientID: "c", Audience: []string{"a"}, Type: "at+jwt", KeyID: "k", Algorithm: "ES256",
		Extra: map[string]any{"oid": "o", "uti": nil, "scp": "user_impersonation"},
	}))
	if diff := cmp.Diff(map[string]any{"alg": "ES256", "kid": "k", "typ": "at+jwt"}, got.header); diff != "" {
		t.Error(diff)
	}
	want := map[string]any{
		"iss": iss.URL(), "sub": "s", "oid": "o", "aud": "a", "azp": "c", "azpacr": "1", "ver": "2.0",
		"scp": "user_impersonation", "iat": 1.8e9, "exp": 1.8e9 + 3600,
	}
	if diff := cmp.Diff(want, got.claims); diff != "" {
		t.Error(diff)
	}
}

func TestUnknownDialectPanics(t *testing.T) {
	iss := newFixed(t)
	for _, d := range []issuertest.Dialect{0, slices.Max(dialects) + 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v: no panic", d)
				}
			}()
			iss.DialectToken(d, issuertest.Claims{})
		}()
	}
}

// names lists the members of an object, sorted, without some.
func names(object map[string]any, without ...string) []string {
	all := slices.Sorted(maps.Keys(object))
	return slices.DeleteFunc(all, func(name string) bool { return slices.Contains(without, name) })
}
