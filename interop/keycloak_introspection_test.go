//go:build interop

package interop_test

import (
	"testing"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
)

// asOrders introspects as the API's own client.
func (k *keycloak) asOrders() *introspection.Config { return asking("orders") }

// asking introspects as a client, and remembers nothing that is inactive: a test
// may make it active again.
func asking(client string) *introspection.Config {
	return &introspection.Config{
		Auth:             introspection.ClientSecretBasic(client, introspection.Secret(secret)),
		NegativeLifetime: -1,
		RequestTimeout:   keycloakReply,
	}
}

// fresh is the preset with a way to ask for the realm's word.
func (k *keycloak) fresh() validator.Issuer {
	issuer := k.preset()
	issuer.Introspection = k.asOrders()
	return issuer
}

// asked is the realm as one whose word is asked about every token.
func (k *keycloak) asked(cfg *introspection.Config) validator.Issuer {
	issuer := k.preset()
	issuer.Keys, issuer.Introspection = nil, cfg
	return issuer
}

func TestKeycloakFresh(t *testing.T) {
	k := aKeycloak(t)
	apis := newAPIs(t, one(k.fresh()))
	for _, client := range []string{"warehouse", "at-jwt", "auditor"} {
		token := k.token(t, client, readScope)
		expect(t, client, apis, remove, token, allowed(client, readAlso))
		expect(t, client+", after that", apis, read, token, allowed(client, readAlso))
	}
	expect(t, "without scope", apis, remove, k.token(t, "warehouse", ""), refused(validator.CheckScope, "orders:read"))
	expect(t, "another audience", apis, remove, k.token(t, "elsewhere", readScope), refused(validator.CheckAudience))
}

func TestKeycloakRevoked(t *testing.T) {
	k := aKeycloak(t)
	apis := newAPIs(t, one(k.fresh()))
	token, bystander := k.token(t, "warehouse", readScope), k.token(t, "warehouse", readScope)
	expect(t, "before", apis, remove, token, allowed("warehouse", readAlso))
	k.revoke(t, "warehouse", token)
	expect(t, "by its signature", apis, read, token, allowed("warehouse", readAlso))
	expect(t, "by the realm's word", apis, remove, token, refused(validator.CheckActive))
	expect(t, "by its signature, after that", apis, read, token, allowed("warehouse", readAlso))
	expect(t, "not revoked", apis, remove, bystander, allowed("warehouse", readAlso))
}

// TestKeycloakAsked is about an API that has every token's claims from the realm,
// as lightweight tokens need it.
func TestKeycloakAsked(t *testing.T) {
	k := aKeycloak(t)
	apis := newAPIs(t, one(k.asked(k.asOrders())))
	for _, client := range []string{"lightweight", "warehouse", "at-jwt", "auditor", "picker"} {
		token := k.token(t, client, bothScope)
		expect(t, client, apis, write, token, allowed(client, writeAlso))
		expect(t, client+", asked again", apis, remove, token, allowed(client, writeAlso))
		expect(t, client+" without scope", apis, read, k.token(t, client, ""), refused(validator.CheckScope, "orders:read"))
	}
	granting := k.asked(k.asOrders())
	granting.Profile.ScopeClaims = append(granting.Profile.ScopeClaims, granting.Profile.RoleClaims...)
	expect(t, "roles", newAPIs(t, one(granting)), read, k.token(t, "picker", ""), allowed("picker", "orders:read profile stock:count"))

	revoked := k.token(t, "lightweight", readScope)
	k.revoke(t, "lightweight", revoked)
	expect(t, "revoked", apis, read, revoked, refused(validator.CheckActive))
	expect(t, "made up", apis, read, "made-up-and-never-issued-by-anybody-at-all", refused(validator.CheckActive))
	ada := k.login(t, "ada")
	expect(t, "an ID token", apis, read, ada.id, refused(validator.CheckActive))
	expect(t, "a refresh token", apis, read, ada.refresh, refused(validator.CheckActive))
	// From version 26.6.2 on the client that asks must be in aud.
	expect(t, "no audience", apis, read, k.token(t, "no-audience", readScope), refused(validator.CheckActive))
	expect(t, "another audience", apis, read, k.token(t, "elsewhere", readScope), refused(validator.CheckActive))
	stranger := newAPIs(t, one(k.asked(asking("stock"))))
	expect(t, "asked by a client that is not in aud", stranger, read, k.token(t, "lightweight", readScope), refused(validator.CheckActive))
}

// TestKeycloakClientAuthentication: the realm knows the fixture p256-a as the key
// of the client "assertion", with use sig, without which Keycloak takes none.
func TestKeycloakClientAuthentication(t *testing.T) {
	k := aKeycloak(t)
	token := k.token(t, "auditor", readScope)
	sign := func(key string) introspection.ClientAuth {
		signer, err := validator.NewAssertionSigner("assertion", testdata.PrivateKey(key), "p256-a", "ES256")
		if err != nil {
			t.Fatal(err)
		}
		return introspection.PrivateKeyJWT("assertion", signer)
	}
	for _, c := range []struct {
		name string
		auth introspection.ClientAuth
		want answer
	}{
		{"client_secret_basic", introspection.ClientSecretBasic("orders", introspection.Secret(secret)), allowed("auditor", readAlso)},
		{"client_secret_post", introspection.ClientSecretPost("orders", introspection.Secret(secret)), allowed("auditor", readAlso)},
		{"private_key_jwt", sign("p256-a"), allowed("auditor", readAlso)},
		{"client_secret_basic, wrong", introspection.ClientSecretBasic("orders", introspection.Secret("wrong")), unavailable},
		{"client_secret_post, wrong", introspection.ClientSecretPost("orders", introspection.Secret("wrong")), unavailable},
		{"private_key_jwt, wrong", sign("p256-b"), unavailable},
		{"unknown client", introspection.ClientSecretBasic("nobody", introspection.Secret(secret)), unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			apis := newAPIs(t, one(k.asked(&introspection.Config{Auth: c.auth, RequestTimeout: keycloakReply})))
			expect(t, "first", apis, read, token, c.want)
			expect(t, "asked again", apis, remove, token, c.want)
		})
	}
}

// TestKeycloakSignedAnswers: Keycloak has an answer in which a member holds the
// token as a JWT, for application/jwt, and none that is a JWT (RFC 9701).
func TestKeycloakSignedAnswers(t *testing.T) {
	k := aKeycloak(t)
	token := k.token(t, "auditor", readScope)
	issuer := k.asked(asking("signed"))
	expect(t, "not wanted", newAPIs(t, one(issuer)), read, token, allowed("auditor", readAlso))
	issuer.SignedAnswersFor = "signed"
	expect(t, "wanted", newAPIs(t, one(issuer)), read, token, unavailable)
}

func TestKeycloakDPoPBound(t *testing.T) {
	k := aKeycloak(t)
	token := openidClient(t, k.issuer(), "dpop-bound", grant{Scope: readScope})[0]
	expect(t, "by its signature", newAPIs(t, one(k.preset())), read, token, refused(validator.CheckBinding))
	expect(t, "by the realm's word", newAPIs(t, one(k.asked(k.asOrders()))), read, token, refused(validator.CheckBinding))
}
