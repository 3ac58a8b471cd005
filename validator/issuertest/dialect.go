package issuertest

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
)

// Dialect is a provider's way of writing the access tokens of clients that act
// for themselves, named after the function of package providers that reads it.
// RFC 9068's is that of [Issuer.Token].
type Dialect int

// The dialects. OktaOrg and HydraOpaque are opaque tokens, and the introspection
// answers about them.
const (
	Auth0 Dialect = iota + 1
	Okta
	OktaOrg
	EntraID
	EntraIDv1
	Cognito
	GoogleServiceAccount
	Keycloak
	Hydra
	HydraOpaque
	GitHubActions
	Kubernetes
	Authentik
	ADFS
	PingFederate
	GitLab
	FusionAuth
	Zitadel
	Casdoor
	SPIFFE
)

// dialect says what a token holds that [Claims] would have written otherwise.
type dialect struct {
	name   string
	typ    string // "" for none
	opaque bool
	claims func(c Claims) map[string]any // nil values are left out of the token
}

var dialects = map[Dialect]dialect{
	Auth0:                {name: "Auth0", typ: "JWT", claims: auth0Claims},
	Okta:                 {name: "Okta", claims: oktaClaims},
	OktaOrg:              {name: "OktaOrg", opaque: true, claims: oktaOrgClaims},
	EntraID:              {name: "EntraID", typ: "JWT", claims: entraClaims("2.0", "azp")},
	EntraIDv1:            {name: "EntraIDv1", typ: "JWT", claims: entraClaims("1.0", "appid")},
	Cognito:              {name: "Cognito", claims: cognitoClaims},
	GoogleServiceAccount: {name: "GoogleServiceAccount", typ: "JWT", claims: googleClaims},
	Keycloak:             {name: "Keycloak", typ: "JWT", claims: keycloakClaims},
	Hydra:                {name: "Hydra", typ: "JWT", claims: hydraClaims},
	HydraOpaque:          {name: "HydraOpaque", opaque: true, claims: hydraAnswer},
	GitHubActions:        {name: "GitHubActions", typ: "JWT", claims: gitHubClaims},
	Kubernetes:           {name: "Kubernetes", claims: kubernetesClaims},
	Authentik:            {name: "Authentik", typ: "JWT", claims: authentikClaims},
	ADFS:                 {name: "ADFS", typ: "JWT", claims: adfsClaims},
	PingFederate:         {name: "PingFederate", typ: "at+jwt", claims: plainClaims},
	GitLab:               {name: "GitLab", typ: "JWT", claims: gitLabClaims},
	FusionAuth:           {name: "FusionAuth", typ: "JWT", claims: fusionAuthClaims},
	Zitadel:              {name: "Zitadel", typ: "JWT", claims: zitadelClaims},
	Casdoor:              {name: "Casdoor", typ: "JWT", claims: casdoorClaims},
	SPIFFE:               {name: "SPIFFE", typ: "JWT", claims: spiffeClaims},
}

// String names the dialect.
func (d Dialect) String() string {
	if form, ok := dialects[d]; ok {
		return form.name
	}
	return fmt.Sprintf("Dialect(%d)", int(d))
}

// DialectToken returns an access token as the provider would issue it to a
// client: a JWT signed by this issuer's key, or an opaque token that its
// introspection endpoint knows. Set Issuer to the provider's identifier, and let
// the validator under test get its keys, or its answers, here:
//
//	orders := providers.Auth0("example.eu.auth0.com", "https://orders.example.com")
//	orders.Keys = &jwks.Config{URL: iss.JWKSURL(), HTTPClient: iss.Client()}
//	token := iss.DialectToken(issuertest.Auth0, issuertest.Claims{
//		Issuer: orders.URL, Audience: orders.Audience, Scope: "orders:read",
//	})
//
// Scope grants what the provider grants by: roles at Entra ID and ZITADEL (of the
// project that is the first Audience), permissions at FusionAuth, and where a token's
// one scope is who it was issued to, that: the address of a Google account, the number
// of a GitHub repository or a GitLab project, the full name of a Kubernetes service
// account, a SPIFFE ID. Extra wins over all else, so a user's token is a few claims
// away. It panics if there is no such dialect.
func (iss *Issuer) DialectToken(d Dialect, c Claims) string {
	form, ok := dialects[d]
	if !ok {
		panic("issuertest: no such dialect: " + d.String())
	}
	c.ClientID = cmp.Or(c.ClientID, ClientID)
	c.Issuer = cmp.Or(c.Issuer, iss.url)
	shaped := c
	shaped.Extra = form.claims(c)
	shaped = shaped.with(c.Extra)
	if form.opaque {
		return iss.Opaque(shaped)
	}
	key := iss.signingKey(c.Algorithm)
	header := map[string]any{"alg": key.alg, "kid": cmp.Or(c.KeyID, key.kid)}
	if typ := cmp.Or(c.Type, form.typ); typ != "" {
		header["typ"] = typ
	}
	return key.sign(encode(header), encode(iss.claims(shaped)))
}

func auth0Claims(c Claims) map[string]any {
	return map[string]any{
		"client_id": nil, "jti": nil,
		"sub": cmp.Or(c.Subject, c.ClientID+"@clients"),
		"azp": c.ClientID,
		"gty": "client-credentials",
	}
}

func oktaClaims(c Claims) map[string]any {
	return map[string]any{
		"client_id": nil, "scope": nil,
		"ver": 1,
		"jti": "AT." + rand.Text(),
		"cid": c.ClientID,
		"scp": strings.Fields(c.Scope),
	}
}

func oktaOrgClaims(c Claims) map[string]any {
	return map[string]any{
		"jti": "AT." + rand.Text(),
		"aud": c.Issuer, // whatever API the token is sent to
	}
}

// accountID is the object that stands for the client in a directory of users.
const accountID = "5f0c9a52-6a1e-4c7e-9a39-1d5b7e2f8c64"

func entraClaims(version, clientClaim string) func(Claims) map[string]any {
	return func(c Claims) map[string]any {
		principal := cmp.Or(c.Subject, accountID)
		claims := map[string]any{
			"client_id": nil, "jti": nil, "scope": nil, // uti instead of jti
			"sub":               principal,
			"oid":               principal,
			clientClaim:         c.ClientID,
			clientClaim + "acr": "1", // a client secret
			"uti":               rand.Text(),
			"ver":               version,
		}
		if u, err := url.Parse(c.Issuer); err == nil {
			if tenant := strings.Split(strings.Trim(u.Path, "/"), "/")[0]; tenant != "" {
				claims["tid"] = tenant
			}
		}
		if roles := strings.Fields(c.Scope); len(roles) > 0 {
			claims["roles"] = roles
		}
		return claims
	}
}

func cognitoClaims(Claims) map[string]any {
	return map[string]any{"aud": nil, "token_use": "access", "version": 2}
}

func googleClaims(c Claims) map[string]any {
	// The unique ID of an account, which is a number of 21 digits.
	id := cmp.Or(c.Subject, "100000000000000000001")
	return map[string]any{
		"client_id": nil, "jti": nil, "scope": nil,
		"sub":            id,
		"azp":            id,
		"email":          cmp.Or(c.Scope, "service-account@example.iam.gserviceaccount.com"),
		"email_verified": true,
	}
}

func keycloakClaims(c Claims) map[string]any {
	claims := map[string]any{
		"sub":                cmp.Or(c.Subject, accountID),
		"typ":                "Bearer",
		"azp":                c.ClientID,
		"acr":                "1",
		"preferred_username": "service-account-" + strings.ToLower(c.ClientID),
		"clientHost":         "192.0.2.1",
		"clientAddress":      "192.0.2.1",
	}
	if c.JWKThumbprint != "" {
		cnf := c.confirmation()
		cnf["kc-jkt-type"] = "DPoP"
		claims["typ"], claims["cnf"] = "DPoP", cnf
	}
	return claims
}

func hydraClaims(c Claims) map[string]any {
	return map[string]any{
		"scope": nil,
		"aud":   list(c.Audience),
		"scp":   strings.Fields(c.Scope),
		"ext":   map[string]any{},
	}
}

func hydraAnswer(c Claims) map[string]any {
	return map[string]any{
		"jti":       nil,
		"aud":       list(c.Audience),
		"ext":       map[string]any{},
		"token_use": "access_token",
	}
}

// plainClaims changes nothing.
func plainClaims(Claims) map[string]any { return nil }

func authentikClaims(c Claims) map[string]any {
	return map[string]any{
		"client_id": nil, "jti": nil,
		"sub":                cmp.Or(c.Subject, accountID),
		"aud":                audience(c.Audience),
		"azp":                c.ClientID,
		"uid":                rand.Text(),
		"acr":                "goauthentik.io/providers/oauth2/default",
		"preferred_username": "reports",
		"groups":             []string{},
	}
}

func adfsClaims(c Claims) map[string]any {
	return map[string]any{
		"client_id": nil, "jti": nil, "scope": nil, "sub": nil,
		"appid":      c.ClientID,
		"apptype":    "Confidential",
		"authmethod": "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password",
		"ver":        "1.0",
		"scp":        c.Scope,
	}
}

func fusionAuthClaims(c Claims) map[string]any {
	entity := audience(c.Audience)
	claims := map[string]any{
		"client_id": nil,
		"gty":       []string{"client_credentials"},
		"tid":       "d7d09513-a3f5-401c-9685-34ab6c552453",
		"scope":     fmt.Sprintf("target-entity:%v", entity),
	}
	if permissions := strings.Fields(c.Scope); len(permissions) > 0 {
		claims["permissions"] = permissions
	}
	return claims
}

func zitadelClaims(c Claims) map[string]any {
	const organization = "178204173316100001"
	claims := map[string]any{
		"scope":                                 nil,
		"aud":                                   list(c.Audience),
		"sub":                                   cmp.Or(c.Subject, "178204173316400001"),
		"jti":                                   "V2_" + rand.Text(),
		"urn:zitadel:iam:user:resourceowner:id": organization,
	}
	roles := make(map[string]any)
	for _, role := range strings.Fields(c.Scope) {
		roles[role] = map[string]string{organization: "shop.example.com"}
	}
	if len(roles) > 0 && len(c.Audience) > 0 {
		claims["urn:zitadel:iam:org:project:"+c.Audience[0]+":roles"] = roles
	}
	return claims
}

func casdoorClaims(c Claims) map[string]any {
	const owner = "admin"
	return map[string]any{
		"client_id": nil,
		"sub":       cmp.Or(c.Subject, owner+"/"+c.ClientID),
		"aud":       list(c.Audience),
		"azp":       c.ClientID,
		"tokenType": "access-token",
		"type":      "application",
		"owner":     owner,
		"name":      c.ClientID,
		"jti":       owner + "/" + rand.Text(),
	}
}

// list is an audience that is written as an array, even of one.
func list(audience []string) []string {
	if audience == nil {
		return []string{Audience}
	}
	return audience
}
