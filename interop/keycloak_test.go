//go:build interop

package interop_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/providers"
)

// The realm of keycloak/realm.json has the API's client "orders" and callers that
// differ from "warehouse" in what they are called after. Each has the scope
// profile, as every client of Keycloak by default.
const (
	alone     = "profile"
	readAlso  = "orders:read profile"
	writeAlso = "orders:read orders:write profile"
)

// preset is the realm as its users configure it.
func (k *keycloak) preset() validator.Issuer { return k.presetFor("orders") }

func (k *keycloak) presetFor(audience string) validator.Issuer {
	issuer := providers.Keycloak(k.base, realm, audience)
	issuer.Keys.RequestTimeout = keycloakReply
	return issuer
}

func TestKeycloakTokens(t *testing.T) {
	k := aKeycloak(t)
	apis := newAPIs(t, one(k.preset()))
	for _, client := range []string{"warehouse", "at-jwt", "auditor", "Mixed-Case"} {
		reader := k.token(t, client, readScope)
		expect(t, client, apis, read, reader, allowed(client, readAlso))
		expect(t, client+", seen before", apis, read, reader, allowed(client, readAlso))
		expect(t, client, apis, write, reader, refused(validator.CheckScope, "orders:write"))
		writer := k.token(t, client, bothScope)
		expect(t, client, apis, write, writer, allowed(client, writeAlso))
		expect(t, client+" without scope", apis, read, k.token(t, client, ""), refused(validator.CheckScope, "orders:read"))
	}
	fromNode := openidClient(t, k.issuer(), "warehouse", grant{Scope: readScope})[0]
	expect(t, "from openid-client", apis, read, fromNode, allowed("warehouse", readAlso))

	discovered := k.preset()
	discovered.Keys = &jwks.Config{RequestTimeout: keycloakReply} // by the realm's metadata
	expect(t, "keys discovered", newAPIs(t, one(discovered)), read, fromNode, allowed("warehouse", readAlso))
}

func TestKeycloakAudience(t *testing.T) {
	k := aKeycloak(t)
	apis := newAPIs(t, one(k.preset()))
	none := k.token(t, "no-audience", readScope)
	expect(t, "no mapper", apis, read, none, refused(validator.CheckAudience))
	elsewhere := k.token(t, "elsewhere", readScope)
	expect(t, "a mapper for another API", apis, read, elsewhere, refused(validator.CheckAudience))
	stock := newAPIs(t, one(k.presetFor("stock")))
	expect(t, "that API", stock, read, elsewhere, allowed("elsewhere", readAlso))
	expect(t, "a role of the API instead of a mapper", apis, read, k.token(t, "picker", readScope), allowed("picker", readAlso))
	lightweight := k.token(t, "lightweight", readScope)
	expect(t, "a lightweight token, by its signature", apis, read, lightweight,
		refusedWith(validator.CheckAudience, "The access token does not name the API that it is meant for."))
}

// TestKeycloakKinds has what is signed by the realm's keys and is no access token
// for this API.
func TestKeycloakKinds(t *testing.T) {
	k := aKeycloak(t)
	apis := newAPIs(t, one(k.preset()))
	ada := k.login(t, "ada")
	expect(t, "a user's access token", apis, read, ada.access, allowed("web", "openid orders:read profile"))
	expect(t, "an ID token", apis, read, ada.id, refused(validator.CheckAudience))
	expect(t, "a refresh token", apis, read, ada.refresh, refused(validator.CheckAlgorithm))
	web := newAPIs(t, one(k.presetFor("web")))
	expect(t, "an ID token at the API that is its audience", web, read, ada.id,
		refusedWith(validator.CheckClaims, "A claim of the access token has another value than this API needs."))

	strict := providers.RFC9068(k.issuer(), "orders")
	strict.Keys = &jwks.Config{RequestTimeout: keycloakReply}
	strict.AppOnly = false // sub is the service account, never the client
	apis = newAPIs(t, one(strict))
	expect(t, "at+jwt, where RFC 9068 is asked for", apis, read, k.token(t, "at-jwt", readScope), allowed("at-jwt", readAlso))
	expect(t, "JWT, where RFC 9068 is asked for", apis, read, k.token(t, "warehouse", readScope), refused(validator.CheckType))
}

func TestKeycloakForged(t *testing.T) {
	k := aKeycloak(t)
	apis := newAPIs(t, one(k.preset()))
	reader, writer := k.token(t, "warehouse", readScope), k.token(t, "warehouse", bothScope)
	r, w := strings.Split(reader, "."), strings.Split(writer, ".")
	expect(t, "as issued", apis, read, reader, allowed("warehouse", readAlso))
	forged := strings.Join([]string{r[0], w[1], r[2]}, ".")
	expect(t, "the payload of another token", apis, write, forged, refused(validator.CheckSignature))
	forged = strings.Join([]string{w[0], w[1], r[2]}, ".")
	expect(t, "the signature of another token", apis, write, forged, refused(validator.CheckSignature))
	expect(t, "as issued", apis, write, writer, allowed("warehouse", writeAlso))
}

func TestKeycloakOtherRealm(t *testing.T) {
	k := aKeycloak(t)
	foreign := clientCredentials(t, k.base+"/realms/master/protocol/openid-connect/token", "admin", browser, grant{})
	expect(t, "the realm master", newAPIs(t, one(k.preset())), read, foreign, refused(validator.CheckIssuer))
	expect(t, "the realm of the API, where master is meant", newAPIs(t, one(providers.Keycloak(k.base, "master", "orders"))), read,
		k.token(t, "warehouse", readScope), refused(validator.CheckIssuer))
}

func TestKeycloakAlgorithms(t *testing.T) {
	k := aKeycloak(t)
	plain := newAPIs(t, one(k.preset()))
	wide := k.preset()
	wide.Algorithms = []string{"ES256", "PS256", "EdDSA"}
	wider := newAPIs(t, one(wide))
	for _, client := range []string{"es256", "ps256", "eddsa"} {
		token := k.token(t, client, readScope)
		expect(t, client+", by default", plain, read, token, refused(validator.CheckAlgorithm))
		expect(t, client+", named", wider, read, token, allowed(client, readAlso))
	}
	expect(t, "RS256, not named", wider, read, k.token(t, "warehouse", readScope), refused(validator.CheckAlgorithm))
	hmac := k.token(t, "hs256", readScope)
	expect(t, "HS256", plain, read, hmac, refused(validator.CheckAlgorithm))
	expect(t, "HS256", wider, read, hmac, refused(validator.CheckAlgorithm))
}

func TestKeycloakExpired(t *testing.T) {
	const ttl = time.Minute // of the client "brief"
	k := aKeycloak(t)
	clock := new(clock)
	cfg := one(k.preset())
	cfg.Now = clock.now
	apis := newAPIs(t, cfg)
	token := k.token(t, "brief", readScope)
	expect(t, "new", apis, read, token, allowed("brief", readAlso))
	clock.ahead.Store(int64(ttl + validator.DefaultClockSkew + time.Second))
	expect(t, "past it", apis, read, token, refused(validator.CheckExpiry))
}

// TestKeycloakRoles has the roles "Data Steward" and stock:count of the realm, and
// "order picker" and orders:read of the client "orders".
func TestKeycloakRoles(t *testing.T) {
	k := aKeycloak(t)
	token := k.token(t, "picker", "")
	preset := k.preset()
	apis := newAPIs(t, one(preset))
	expect(t, "not asked for", apis, read, token, refused(validator.CheckScope, "orders:read"))
	for _, a := range apis {
		tallyOf(t).Add(1)
		accepted, err := a.validator.Verify(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"Data Steward", "order picker", "orders:read", "stock:count"}
		if diff := cmp.Diff(want, slices.Sorted(slices.Values(accepted.Roles()))); diff != "" {
			t.Errorf("%s: roles (-want +got):\n%s", a.name, diff)
		}
	}
	for _, c := range []struct {
		name   string
		claims []string
		want   answer
	}{
		{"both", preset.Profile.RoleClaims, allowed("picker", "orders:read profile stock:count")},
		{"the client's", []string{"/resource_access/orders/roles"}, allowed("picker", "orders:read profile")},
		{"the realm's", []string{"/realm_access/roles"}, refused(validator.CheckScope, "orders:read")},
		{"another client's", []string{"/resource_access/stock/roles"}, refused(validator.CheckScope, "orders:read")},
	} {
		granting := k.preset()
		granting.Profile.ScopeClaims = append([]string{"scope"}, c.claims...)
		expect(t, c.name, newAPIs(t, one(granting)), read, token, c.want)
	}
}

// TestKeycloakUsers has the user "service-account-web" of the client "web", which
// has no service account.
func TestKeycloakUsers(t *testing.T) {
	k := aKeycloak(t)
	warehouse, mixed, session := k.token(t, "warehouse", readScope), k.token(t, "Mixed-Case", readScope), k.token(t, "with-session", readScope)
	lightweight := k.token(t, "lightweight", readScope)
	ada, pretender := k.login(t, "ada").access, k.login(t, "service-account-web").access

	apps := k.preset()
	apps.AppOnly = true
	asked := apps
	asked.Keys, asked.Introspection = nil, k.asOrders()
	for name, issuer := range map[string]validator.Issuer{"by signature": apps, "by introspection": asked} {
		apis := newAPIs(t, one(issuer))
		expect(t, name+": a service account", apis, read, warehouse, allowed("warehouse", readAlso))
		expect(t, name+": one in capitals", apis, read, mixed, allowed("Mixed-Case", readAlso))
		expect(t, name+": one with a session", apis, read, session, allowed("with-session", readAlso))
		expect(t, name+": a user", apis, read, ada, refused(validator.CheckApp))
		expect(t, name+": a user who is called like one", apis, read, pretender, refused(validator.CheckApp))
		if issuer.Keys == nil {
			expect(t, name+": one of a lightweight token", apis, read, lightweight, allowed("lightweight", readAlso))
		}
	}

	listed := k.preset()
	listed.Clients = []string{"warehouse"}
	apis := newAPIs(t, one(listed))
	expect(t, "a client of the list", apis, read, warehouse, allowed("warehouse", readAlso))
	expect(t, "a user of another client", apis, read, ada, refused(validator.CheckClient))
}
