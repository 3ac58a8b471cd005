package providers_test

import (
	"context"
	"fmt"
	"log"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
	"github.com/m2mguard/m2mguard/validator/providers"
)

// verify lets a validator of iss look at a token that the fake issuer writes as
// the provider would. Without the two lines that point iss at the fake issuer,
// this is what a program does.
func verify(iss validator.Issuer, dialect issuertest.Dialect, claims issuertest.Claims) *validator.Token {
	fake, err := issuertest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer fake.Close()
	if iss.Introspection == nil {
		iss.Keys = &jwks.Config{URL: fake.JWKSURL(), HTTPClient: fake.Client()}
	} else {
		iss.Introspection = &introspection.Config{Endpoint: fake.IntrospectionURL(), Auth: iss.Introspection.Auth}
	}

	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{iss}})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	claims.Issuer = iss.URL
	if claims.Audience == nil {
		claims.Audience = iss.Audience
	}
	token, err := v.Verify(context.Background(), fake.DialectToken(dialect, claims))
	if err != nil {
		log.Fatal(err)
	}
	return token
}

func ExampleAuth0() {
	iss := providers.Auth0("example.eu.auth0.com", "https://orders.example.com")

	token := verify(iss, issuertest.Auth0, issuertest.Claims{ClientID: "k7Wd2mXq9RtYb4Lc", Scope: "orders:read"})
	fmt.Println(token.Subject(), token.ClientID(), token.Scopes())
	// Output: k7Wd2mXq9RtYb4Lc@clients k7Wd2mXq9RtYb4Lc orders:read
}

func ExampleOkta() {
	iss := providers.Okta("https://example.okta.com/oauth2/default", "api://default")

	token := verify(iss, issuertest.Okta, issuertest.Claims{ClientID: "0oa1b2c3d4e5f6g7h8i9", Scope: "orders:read"})
	fmt.Println(token.ClientID(), token.Scopes())
	// Output: 0oa1b2c3d4e5f6g7h8i9 orders:read
}

func ExampleOktaOrg() {
	auth := introspection.ClientSecretBasic(issuertest.ClientID, introspection.Secret(issuertest.ClientSecret))
	iss := providers.OktaOrg("https://example.okta.com", auth, "0oa1b2c3d4e5f6g7h8i9")

	token := verify(iss, issuertest.OktaOrg, issuertest.Claims{ClientID: "0oa1b2c3d4e5f6g7h8i9", Scope: "orders.read"})
	fmt.Println(token.ClientID(), token.Scopes())
	// Output: 0oa1b2c3d4e5f6g7h8i9 orders.read
}

func ExampleEntraID() {
	iss := providers.EntraID("8d3e6f0a-1c2b-4d5e-9f70-a1b2c3d4e5f6", "2b9d41c7-0a8e-4f3b-8c65-7d1e9f20ab34")

	token := verify(iss, issuertest.EntraID, issuertest.Claims{
		ClientID: "c4a7e2d8-5b16-4390-a8f1-6e0d3b9c7f52",
		Scope:    "Orders.Read", // in roles
	})
	fmt.Println(token.ClientID())
	fmt.Println(token.Tenant())
	fmt.Println(token.Scopes())
	// Output:
	// c4a7e2d8-5b16-4390-a8f1-6e0d3b9c7f52
	// 8d3e6f0a-1c2b-4d5e-9f70-a1b2c3d4e5f6
	// Orders.Read
}

func ExampleEntraIDv1() {
	iss := providers.EntraIDv1("8d3e6f0a-1c2b-4d5e-9f70-a1b2c3d4e5f6",
		"2b9d41c7-0a8e-4f3b-8c65-7d1e9f20ab34", "api://2b9d41c7-0a8e-4f3b-8c65-7d1e9f20ab34")

	token := verify(iss, issuertest.EntraIDv1, issuertest.Claims{
		ClientID: "c4a7e2d8-5b16-4390-a8f1-6e0d3b9c7f52",
		Audience: []string{"api://2b9d41c7-0a8e-4f3b-8c65-7d1e9f20ab34"},
		Scope:    "Orders.Read", // in roles
	})
	fmt.Println(token.Issuer())
	fmt.Println(token.Scopes())
	// Output:
	// https://sts.windows.net/8d3e6f0a-1c2b-4d5e-9f70-a1b2c3d4e5f6/
	// Orders.Read
}

func ExampleCognito() {
	iss := providers.Cognito("eu-west-1", "eu-west-1_AbCdEfGhI", "3k7m1p9q5r2s8t4u6v0w1x5y7z")

	token := verify(iss, issuertest.Cognito, issuertest.Claims{ClientID: "3k7m1p9q5r2s8t4u6v0w1x5y7z", Scope: "orders/read"})
	fmt.Println(token.ClientID(), token.Scopes(), len(token.Audience()))
	// Output: 3k7m1p9q5r2s8t4u6v0w1x5y7z orders/read 0
}

func ExampleGoogleServiceAccount() {
	iss := providers.GoogleServiceAccount("https://orders.example.com", "reports@example.iam.gserviceaccount.com")

	token := verify(iss, issuertest.GoogleServiceAccount, issuertest.Claims{Scope: "reports@example.iam.gserviceaccount.com"})
	fmt.Println(token.Check(scopes.Any("reports@example.iam.gserviceaccount.com")) == nil)
	// Output: true
}

func ExampleKeycloak() {
	iss := providers.Keycloak("https://id.example.com", "shop", "orders")
	iss.Profile.ScopeClaims = append(iss.Profile.ScopeClaims, iss.Profile.RoleClaims...) // roles count as scopes

	token := verify(iss, issuertest.Keycloak, issuertest.Claims{
		ClientID: "reports",
		Scope:    "orders:read",
		Extra:    map[string]any{"realm_access": map[string]any{"roles": []string{"reporter"}}},
	})
	fmt.Println(token.ClientID(), token.Roles(), token.Scopes())
	// Output: reports [reporter] orders:read reporter
}

func ExampleHydra() {
	iss := providers.Hydra("https://id.example.com/", "https://orders.example.com")

	token := verify(iss, issuertest.Hydra, issuertest.Claims{ClientID: "reports", Scope: "orders:read"})
	fmt.Println(token.ClientID(), token.Scopes())
	// Output: reports orders:read
}

func ExampleHydraOpaque() {
	auth := introspection.ClientSecretBasic(issuertest.ClientID, introspection.Secret(issuertest.ClientSecret))
	iss := providers.HydraOpaque("https://id.example.com/", "https://orders.example.com", "https://hydra-admin.example.com", auth)

	token := verify(iss, issuertest.HydraOpaque, issuertest.Claims{ClientID: "reports", Scope: "orders:read"})
	fmt.Println(token.ClientID(), token.Scopes())
	// Output: reports orders:read
}

func ExampleAuthentik() {
	iss := providers.Authentik("https://id.example.com", "orders", "Xk2rVb7QnT9mLw4YcH8sJd3FzG6pA1eU5oRtKi0B")
	iss.Profile.ScopeClaims = iss.Profile.RoleClaims // the administrator's to give

	token := verify(iss, issuertest.Authentik, issuertest.Claims{
		Scope: "orders:write", // the client's to ask for
		Extra: map[string]any{"entitlements": []string{"reporter"}, "preferred_username": "reports"},
	})
	var caller string
	err := token.Claim("preferred_username", &caller)
	fmt.Println(caller, token.Scopes(), err)
	// Output: reports reporter <nil>
}

func ExampleADFS() {
	iss := providers.ADFS("fs.example.com", "2b9d41c7-0a8e-4f3b-8c65-7d1e9f20ab34")

	token := verify(iss, issuertest.ADFS, issuertest.Claims{ClientID: "5d0b7a3e-9c41-4f28-b6e0-1a7c8d92f354", Scope: "orders.read"})
	fmt.Println(token.Issuer())
	fmt.Println(token.ClientID())
	fmt.Println(token.Audience())
	fmt.Println(token.Scopes())
	// Output:
	// http://fs.example.com/adfs/services/trust
	// 5d0b7a3e-9c41-4f28-b6e0-1a7c8d92f354
	// [microsoft:identityserver:2b9d41c7-0a8e-4f3b-8c65-7d1e9f20ab34]
	// orders.read
}

func ExamplePingFederate() {
	iss := providers.PingFederate("https://id.example.com", "https://orders.example.com")
	iss.Profile.Types = []string{"at+jwt"} // with that as the manager's Type Header Value

	token := verify(iss, issuertest.PingFederate, issuertest.Claims{ClientID: "reports", Scope: "orders:read"})
	fmt.Println(token.ClientID(), token.Scopes())
	// Output: reports orders:read
}

func ExampleFusionAuth() {
	iss := providers.FusionAuth("https://id.example.com", "acme.com", "e13365f1-a270-493e-bd1b-3d239d753d53")

	token := verify(iss, issuertest.FusionAuth, issuertest.Claims{
		Subject: "2934f41f-d277-4a32-b0d5-16e47dad9721", // the entity that calls
		Scope:   "orders:read",                          // in permissions
	})
	fmt.Println(token.Subject(), token.Scopes())
	// Output: 2934f41f-d277-4a32-b0d5-16e47dad9721 orders:read
}

func ExampleZitadel() {
	iss := providers.Zitadel("https://shop-a1b2c3.zitadel.cloud", "178204173316174381")
	iss.Clients = []string{"reports"} // a service user

	token := verify(iss, issuertest.Zitadel, issuertest.Claims{ClientID: "reports", Scope: "orders:read auditor"})
	fmt.Println(token.ClientID(), token.Scopes())
	// Output: reports auditor orders:read
}

func ExampleCasdoor() {
	iss := providers.Casdoor("https://door.example.com", "https://orders.example.com", "d4a8f3c2b1e09f7a6d5c")

	token := verify(iss, issuertest.Casdoor, issuertest.Claims{ClientID: "d4a8f3c2b1e09f7a6d5c", Scope: "orders:read"})
	fmt.Println(token.ClientID(), token.Scopes())
	// Output: d4a8f3c2b1e09f7a6d5c orders:read
}

func ExampleRFC9068() {
	fake, err := issuertest.Start() // writes tokens as RFC 9068 has them
	if err != nil {
		log.Fatal(err)
	}
	defer fake.Close()

	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{providers.RFC9068(fake.URL(), issuertest.Audience)},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	token, err := v.Verify(context.Background(), fake.Token(issuertest.Claims{ClientID: "reports", Scope: "orders:read"}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.ClientID(), token.Scopes())
	// Output: reports orders:read
}
