package providers_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
	"github.com/m2mguard/m2mguard/validator/providers"
)

// fixture is the whole token of a provider, and where it is looked up.
func fixture(t *testing.T, name string) (*host, testdata.ProviderToken) {
	t.Helper()
	all := testdata.Providers()
	i := slices.IndexFunc(all, func(p testdata.Provider) bool { return p.Name == name })
	if i < 0 {
		t.Fatalf("no fixture for %s", name)
	}
	return &host{Provider: all[i], answer: all[i].Tokens[0].Claims}, all[i].Tokens[0]
}

func TestKeycloakRolesCountAsScopesIfAskedFor(t *testing.T) {
	fake := issuertest.NewInMemory(t)
	h, token := fixture(t, "Keycloak")
	tests := []struct {
		name   string
		claims func(validator.Profile) []string
		want   []string
	}{
		{"not asked for", func(p validator.Profile) []string { return nil }, nil},
		{"realm and client", func(p validator.Profile) []string { return p.RoleClaims }, []string{"default-roles-shop", "read-all", "reporter"}},
		{"realm", func(validator.Profile) []string { return []string{"/realm_access/roles"} }, []string{"default-roles-shop", "reporter"}},
		{"client", func(validator.Profile) []string { return []string{"/resource_access/orders/roles"} }, []string{"read-all"}},
		{"another client", func(validator.Profile) []string { return []string{"/resource_access/billing/roles"} }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			iss := presets["Keycloak"]()
			iss.Profile.ScopeClaims = append(iss.Profile.ScopeClaims, tt.claims(iss.Profile)...)
			got, err := newValidator(t, iss, h).Verify(t.Context(), raw(t, fake, token))
			if err != nil {
				t.Fatal(err)
			}
			want, err := scopes.Of(append([]string{"email", "orders:read", "profile"}, tt.want...)...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want.String(), got.Scopes().String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// An audience can hold what a JSON Pointer takes for its own, and a realm what a
// URL does. Version 26.7.3 called its realms so.
func TestKeycloakNamesAreEscaped(t *testing.T) {
	iss := providers.Keycloak("https://id.example.com", "shop", "https://orders.example.com/~v1")
	if want := "/resource_access/https:~1~1orders.example.com~1~0v1/roles"; iss.Profile.RoleClaims[1] != want {
		t.Errorf("roles in %q, wanted %q", iss.Profile.RoleClaims[1], want)
	}
	for realm, want := range map[string]string{
		"Ada's shop": "Ada's%20shop",
		"Größe":      "Gr%C3%B6%C3%9Fe",
		"a|b~c^d":    "a%7Cb~c%5Ed",
		"100%27":     "100%2527",
	} {
		iss := providers.Keycloak("https://id.example.com", realm, "orders")
		if want := "https://id.example.com/realms/" + want; iss.URL != want {
			t.Errorf("issuer %q, wanted %q", iss.URL, want)
		}
	}
}

// One Hydra, both kinds: JWTs by keys, opaque tokens at the admin port.
func TestHydraBothKinds(t *testing.T) {
	fake := issuertest.NewInMemory(t)
	hydra, jwt := fixture(t, "Hydra")
	opaque, _ := fixture(t, "HydraOpaque")
	hydra.IntrospectionEndpoint, hydra.answer = opaque.IntrospectionEndpoint, opaque.answer

	iss := presets["Hydra"]()
	iss.Keys = &jwks.Config{}
	iss.Introspection = presets["HydraOpaque"]().Introspection
	v := newValidator(t, iss, hydra)
	for _, token := range []string{raw(t, fake, jwt), "an.opaque-token"} {
		got, err := v.Verify(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Scopes().Contains("orders:read") {
			t.Errorf("scopes %v", got.Scopes())
		}
	}
	want := []string{"GET " + hydra.metadataURI(), "GET " + hydra.JWKSURI, "POST " + hydra.IntrospectionEndpoint}
	if diff := cmp.Diff(want, hydra.asked); diff != "" {
		t.Error("requests:", diff)
	}

	// A refresh token is refused on this way, too.
	hydra.answer = encode(map[string]any{"active": true, "token_use": "refresh_token", "iss": hydra.Issuer, "aud": orders, "sub": "c", "client_id": "c"})
	if _, err := v.Verify(t.Context(), "a.refresh-token"); outcome(err) != "claims" {
		t.Errorf("refresh token: %v", err)
	}
}

// Where a provider has introspection, its endpoint is discovered once there is
// a way to authenticate.
func TestIntrospectionIsDiscovered(t *testing.T) {
	for _, name := range []string{"Okta", "Keycloak"} {
		iss := presets[name]()
		iss.Introspection = &introspection.Config{Auth: auth}
		v, err := validator.New(validator.Config{Issuers: []validator.Issuer{iss}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := v.CanVerifyFresh(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		v.Close()
	}
}

// Keycloak tells the kinds of token apart in its answers, too.
func TestKeycloakIntrospectsAccessTokensAlone(t *testing.T) {
	h, token := fixture(t, "Keycloak")
	h.IntrospectionEndpoint = h.Issuer + "/protocol/openid-connect/token/introspect"
	iss := presets["Keycloak"]()
	iss.Keys = nil
	iss.Introspection = &introspection.Config{Endpoint: h.IntrospectionEndpoint, Auth: auth, PositiveLifetime: -1}
	v := newValidator(t, iss, h)
	for typ, want := range map[string]string{"Bearer": "ok", "DPoP": "ok", "Refresh": "claims", "ID": "claims"} {
		var answer map[string]any
		if err := json.Unmarshal(token.Claims, &answer); err != nil {
			t.Fatal(err)
		}
		answer["active"], answer["typ"] = true, typ
		h.answer = encode(answer)
		if _, err := v.Verify(t.Context(), "a.token-of-type-"+typ); outcome(err) != want {
			t.Errorf("typ %s: %v, wanted %s", typ, err, want)
		}
	}
}

// A token of Keycloak that is bound to a key says so in typ, and names the kind of key
// beside jkt.
func TestKeycloakBindsTokensToKeys(t *testing.T) {
	fake := issuertest.New(t)
	preset := providers.Keycloak("https://id.example.com", "shop", orders)
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{against(fake, preset)}, DPoP: new(dpop.Config)})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	key := issuertest.Thumbprint(testdata.PrivateKey("p256-a").Public())
	for name, tc := range map[string]struct {
		scheme string
		extra  map[string]any
		want   string
	}{
		"as DPoP":            {"DPoP", nil, "proof"}, // which is all that it lacks
		"as Bearer":          {"Bearer", nil, "cnf"},
		"a refresh token":    {"DPoP", map[string]any{"typ": "Refresh"}, "claims"},
		"of the client's":    {"DPoP", map[string]any{"cnf": map[string]any{"jkt": key, "kc-jkt-type": "Client-Attestation"}}, "cnf"},
		"of before that":     {"DPoP", map[string]any{"cnf": map[string]any{"jkt": key}}, "proof"},
		"typ in other words": {"DPoP", map[string]any{"typ": "dpop"}, "claims"},
	} {
		raw := fake.DialectToken(issuertest.Keycloak, issuertest.Claims{
			Issuer: preset.URL, Audience: preset.Audience, JWKThumbprint: key, Extra: tc.extra,
		})
		_, err := v.VerifyRequest(t.Context(), &validator.Request{Scheme: tc.scheme, Token: raw, Method: "GET", URL: "https://api.example.com/"}, nil)
		if outcome(err) != tc.want {
			t.Errorf("%s: %v, wanted %s", name, err, tc.want)
		}
	}
}

// An introspection answer of Keycloak has client_id for users, too, and a user
// may be called what the service account of a client without one would be.
func TestKeycloakTellsUsersInAnswers(t *testing.T) {
	h, token := fixture(t, "Keycloak")
	h.IntrospectionEndpoint = h.Issuer + "/protocol/openid-connect/token/introspect"
	iss := presets["Keycloak"]()
	iss.Keys, iss.AppOnly = nil, true
	iss.Introspection = &introspection.Config{Endpoint: h.IntrospectionEndpoint, Auth: auth, PositiveLifetime: -1}
	v := newValidator(t, iss, h)
	for _, tt := range []struct{ name, id, want string }{
		{"service account", "trrtcc:3cdfe4c2-f364-692b-4a3d-73ee81e083c9", "ok"},
		{"service account, lightweight", "trltcc:44911836-ee9c-61f9-dce6-a1f19c37fc68", "ok"},
		{"service account with a session", "onrtcc:2d08fb4f-9b2c-f717-4229-5e5de5762e2b", "ok"},
		{"user, by password", "onrtro:58ded9f1-4e61-8009-cb01-df5608c221bb", "app"},
		{"user, by code", "onltac:ad2fd47c-4057-3eec-4080-df7164ecb8e4", "app"},
		{"before version 26.2", "58ded9f1-4e61-8009-cb01-df5608c221bb", "app"},
		{"a longer prefix", "onrtrocc:58ded9f1", "app"},
		{"a grant alone", "cc:58ded9f1", "app"},
		{"no colon", "trrtcc", "app"},
		{"no id", "", "app"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var answer map[string]any
			if err := json.Unmarshal(token.Claims, &answer); err != nil {
				t.Fatal(err)
			}
			answer["active"], answer["jti"] = true, tt.id
			answer["client_id"], answer["preferred_username"] = answer["azp"], "service-account-"+strings.ToLower(answer["azp"].(string))
			h.answer = encode(answer)
			if _, err := v.Verify(t.Context(), "a.token-of-"+strings.ReplaceAll(tt.id, ":", "-")); outcome(err) != tt.want {
				t.Errorf("%v, wanted %s", err, tt.want)
			}
		})
	}
}

// What a preset returns is the caller's: changing it, or the arguments, reaches
// no other.
func TestPresetsShareNothing(t *testing.T) {
	clients := []string{"3k7m"}
	a := providers.Cognito("eu-west-1", "eu-west-1_AbCdEfGhI", clients...)
	clients[0] = "changed"
	if a.Clients[0] != "3k7m" {
		t.Error("Clients is the caller's slice")
	}
	for name, preset := range presets {
		a, b := preset(), preset()
		for _, wanted := range a.Profile.Match {
			wanted[0] = "changed"
		}
		for i := range a.Profile.ScopeClaims {
			a.Profile.ScopeClaims[i] = "changed"
		}
		if a.Keys != nil {
			a.Keys.URL = "changed"
		}
		if a.Introspection != nil {
			a.Introspection.Endpoint = "changed"
		}
		for _, wanted := range b.Profile.Match {
			if wanted[0] == "changed" {
				t.Errorf("%s: Match is shared", name)
			}
		}
		if slices.Contains(b.Profile.ScopeClaims, "changed") {
			t.Errorf("%s: ScopeClaims is shared", name)
		}
		if b.Keys != nil && b.Keys.URL == "changed" || b.Introspection != nil && b.Introspection.Endpoint == "changed" {
			t.Errorf("%s: Keys or Introspection is shared", name)
		}
	}
}

// A pool's tokens are accepted with the issuer that was asked for, of the two
// that a pool can have, and with the other one only if that is asked for, too.
func TestCognitoIssuers(t *testing.T) {
	const original, updated = "https://cognito-idp.eu-west-1.amazonaws.com/" + pool, "https://issuer-cognito-idp.eu-west-1.amazonaws.com/" + pool
	fake := issuertest.New(t)
	cognito := func(named string) validator.Issuer {
		iss := providers.Cognito("eu-west-1", named, "3k7m")
		if want := iss.URL + "/.well-known/jwks.json"; iss.Keys.URL != want {
			t.Errorf("keys at %s, wanted %s", iss.Keys.URL, want)
		}
		return against(fake, iss)
	}
	for name, tc := range map[string]struct {
		issuers []validator.Issuer
		accepts map[string]string
	}{
		"by its ID":     {[]validator.Issuer{cognito(pool)}, map[string]string{original: "ok", updated: "iss"}},
		"the original":  {[]validator.Issuer{cognito(original)}, map[string]string{original: "ok", updated: "iss"}},
		"the updated":   {[]validator.Issuer{cognito(updated)}, map[string]string{original: "iss", updated: "ok"}},
		"both by names": {[]validator.Issuer{cognito(pool), cognito(updated)}, map[string]string{original: "ok", updated: "ok"}},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := validator.New(validator.Config{Issuers: tc.issuers})
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			for iss, want := range tc.accepts {
				_, err := v.Verify(t.Context(), fake.DialectToken(issuertest.Cognito, issuertest.Claims{Issuer: iss, ClientID: "3k7m"}))
				if got := outcome(err); got != want {
					t.Errorf("%s: %s (%v), wanted %s", iss, got, err, want)
				}
				if err != nil && !strings.Contains(err.Error(), "other form") {
					t.Errorf("%v does not say what to give providers.Cognito", err)
				}
			}
		})
	}
}
