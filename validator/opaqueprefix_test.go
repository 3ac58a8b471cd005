package validator_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// prefixedBy is an issuer for the opaque tokens that begin so.
func prefixedBy(c validator.Issuer, prefixes ...string) validator.Issuer {
	c.OpaquePrefix = prefixes
	return c
}

// TestOpaquePrefix shows each token to the issuer whose prefix it has, to the one
// without any for the rest, and to no stranger.
func TestOpaquePrefix(t *testing.T) {
	a, b, rest, keys := issuertest.NewInMemory(t), issuertest.NewInMemory(t), issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	seenByA, seenByB, seenByRest := says(a, map[string]any{"client_id": "of-a"}), says(b, map[string]any{"client_id": "of-b"}), says(rest, map[string]any{"client_id": "of-rest"})
	cases := []struct{ raw, client string }{
		{"a-1", "of-a"}, {"a-", "of-a"}, {"ghs_x", "of-a"}, {"b-1", "of-b"}, {"b-a-1", "of-b"},
		{"A-1", "of-rest"}, {"a_1", "of-rest"}, {"xa-1", "of-rest"}, {"gh", "of-rest"}, {"a", "of-rest"}, {"ghs.x.y", "of-rest"},
	}
	ask := func(v *validator.Validator, withRest bool) {
		t.Helper()
		for _, tc := range cases {
			want := "ok"
			if tc.client == "of-rest" && !withRest {
				want = "shape"
			}
			for range 2 {
				token, err := v.Verify(t.Context(), tc.raw)
				if got := outcome(token, err); got != want || err == nil && token.ClientID() != tc.client {
					t.Errorf("%s: %s (%v), %v, wanted %s and client %s", tc.raw, got, err, token, want, tc.client)
				}
				if err != nil && (!strings.Contains(err.Error(), "Issuer.OpaquePrefix") || len(tc.raw) > 2 && strings.Contains(err.Error(), tc.raw)) {
					t.Errorf("%s: %v", tc.raw, err)
				}
			}
		}
	}
	ask(newMany(t, prefixedBy(answersOf(a), "a-", "ghs_"), prefixedBy(bothOf(b), "b-"), answersOf(rest), keysOf(keys)), true)
	if n := len(*seenByRest); n != 6 {
		t.Errorf("%d tokens were shown to the one for the rest: %q", n, *seenByRest)
	}
	ask(newMany(t, prefixedBy(answersOf(a), "a-", "ghs_"), prefixedBy(bothOf(b), "b-"), keysOf(keys)), false)
	ask(newMany(t, prefixedBy(answersOf(a), "a-", "ghs_"), prefixedBy(answersOf(b), "b-")), false)
	if n := len(*seenByRest); n != 6 {
		t.Errorf("a token was shown to an issuer of another configuration: %q", *seenByRest)
	}
	for _, seen := range []struct {
		tokens []string
		any    []string
	}{{*seenByA, []string{"a-", "ghs_"}}, {*seenByB, []string{"b-"}}} {
		for _, raw := range seen.tokens {
			if !slices.ContainsFunc(seen.any, func(prefix string) bool { return strings.HasPrefix(raw, prefix) }) {
				t.Errorf("%s was shown to a stranger", raw)
			}
		}
	}
	if asked(keys) != 0 {
		t.Error("an issuer that proves JWTs was asked about an opaque token")
	}
}

// TestOpaquePrefixOfOne: what begins otherwise is shown to nobody.
func TestOpaquePrefixOfOne(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	seen := says(iss, map[string]any{"client_id": "x"})
	v := newMany(t, prefixedBy(bothOf(iss), "at-"))
	wantOutcome(t, "ok")(v.Verify(t.Context(), "at-1"))
	wantOutcome(t, "shape")(v.Verify(t.Context(), "rt-1"))
	wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Token(issuertest.Claims{}))) // which is not opaque
	if !slices.Equal(*seen, []string{"at-1"}) {
		t.Errorf("the issuer saw %q", *seen)
	}
}

// TestOpaquePrefixFaults are New's.
func TestOpaquePrefixFaults(t *testing.T) {
	one := func(url string, prefixes ...string) validator.Issuer {
		return validator.Issuer{URL: "https://" + url + ".example.com", Audience: []string{"api"}, Introspection: fineIntrospection(), OpaquePrefix: prefixes}
	}
	choose := func(context.Context, string) string { return "" }
	for name, tc := range map[string]struct {
		cfg  validator.Config
		says []string // nil: it is none
	}{
		"the same":                 {validator.Config{Issuers: []validator.Issuer{one("a", "x-"), one("b", "x-")}}, []string{`"https://a.example.com"`, `"https://b.example.com"`, "overlap"}},
		"one within the other":     {validator.Config{Issuers: []validator.Issuer{one("a", "y", "x-"), one("b", "x-b")}}, []string{`"x-"`, `"x-b"`, "overlap"}},
		"within, the other way":    {validator.Config{Issuers: []validator.Issuer{one("a", "x-b"), one("b", "x-")}}, []string{"overlap"}},
		"none of it":               {validator.Config{Issuers: []validator.Issuer{one("a", "")}}, []string{"OpaquePrefix", `""`, "RFC 6750"}},
		"no token begins so":       {validator.Config{Issuers: []validator.Issuer{one("a", "x y")}}, []string{"OpaquePrefix", `"x y"`}},
		"two for the rest":         {validator.Config{Issuers: []validator.Issuer{one("a"), one("b"), one("c", "x")}}, []string{`"https://a.example.com"`, `"https://b.example.com"`, "strangers", "Issuer.OpaquePrefix"}},
		"beside the function":      {validator.Config{Issuers: []validator.Issuer{one("a", "x"), one("b")}, OpaqueIssuer: choose}, []string{"Config.OpaqueIssuer", "OpaquePrefix", `"https://a.example.com"`}},
		"two of one may overlap":   {validator.Config{Issuers: []validator.Issuer{one("a", "x", "x-y"), one("b")}}, nil},
		"each has its own":         {validator.Config{Issuers: []validator.Issuer{one("a", "xa"), one("b", "xb")}}, nil},
		"nobody is asked about it": {validator.Config{Issuers: []validator.Issuer{{URL: "https://id.example.com", Audience: []string{"api"}, OpaquePrefix: []string{"x"}}}}, []string{"OpaquePrefix", "without Introspection"}},
	} {
		v, err := validator.New(tc.cfg)
		if err == nil {
			v.Close()
		}
		if (err == nil) != (tc.says == nil) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, part := range tc.says {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v does not say %s", name, err, part)
			}
		}
	}
}

// TestPrefixesAlone: a JWT is its iss's where the one issuer is asked about tokens of
// its prefix alone.
func TestPrefixesAlone(t *testing.T) {
	iss, other := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	c := prefixedBy(answersOf(iss), "tok_")
	v := newValidator(t, c)
	wantOutcome(t, "iss")(v.Verify(t.Context(), other.Token(issuertest.Claims{})))
	wantOutcome(t, "active")(v.Verify(t.Context(), "tok_x"))
	wantOutcome(t, "shape")(v.Verify(t.Context(), "other"))
	if got := outcome(v.Verify(t.Context(), iss.Token(issuertest.Claims{}))); got != "ok" && got != "active" {
		t.Errorf("its own JWT: %s", got)
	}
}
