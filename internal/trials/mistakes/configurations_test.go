package mistakes_test

import (
	"context"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
)

// configurations are mistakes that New sees.
var configurations = []mistake{
	{name: "empty Config", make: refused(func(c *validator.Config) { *c = validator.Config{} }),
		says: []string{"Config.Issuers", "empty", "wanted at least one"}},
	{name: "ISSUER and AUDIENCE unset", make: issuer(func(i *validator.Issuer) { i.URL, i.Audience = "", []string{""} }), lines: 2,
		says: []string{"URL is empty, wanted the issuer identifier", "Audience holds an empty name, wanted the name of this API"}, not: []string{"Keys"}},
	{name: "http, not loopback (docker compose)", make: issuer(func(i *validator.Issuer) { i.URL = "http://keycloak:8080/realms/shop" }),
		says: []string{`"http://keycloak:8080/realms/shop"`, "URL is http", "use https", "DangerouslyAllowHTTP"}, not: []string{"jwks"}},
	{name: "http, not loopback, for introspection", make: issuer(func(i *validator.Issuer) {
		i.Introspection = &introspection.Config{Auth: auth, Endpoint: "http://keycloak:8080/introspect"}
	}), says: []string{"Introspection", "Config.Endpoint", `"http://keycloak:8080/introspect"`, "use https", "DangerouslyAllowHTTP"}},
	{name: "http, not loopback, for keys", make: issuer(func(i *validator.Issuer) { i.Keys = &jwks.Config{URL: "http://keycloak:8080/certs"} }),
		says: []string{"Keys", "Config.URL", `"http://keycloak:8080/certs"`, "use https", "DangerouslyAllowHTTP"}},
	{name: "no scheme", make: issuer(func(i *validator.Issuer) { i.URL = "id.example.com" }),
		says: []string{`"id.example.com"`, "URL is not an absolute URL", "https://id.example.com", "Keys.URL"}, not: []string{"jwks"}},
	{name: "discovery URL as issuer", make: issuer(func(i *validator.Issuer) { i.URL = "https://id.example.com/.well-known/openid-configuration" }),
		says: []string{"URL is the address of the issuer's document", `wanted the issuer: "https://id.example.com"`}},
	{name: "JWKS URL as issuer", make: issuer(func(i *validator.Issuer) { i.URL = "https://id.example.com/.well-known/jwks.json" }),
		says: []string{"URL is the address", `wanted the issuer: "https://id.example.com"`}},
	{name: "Keycloak's JWKS URL as issuer", make: issuer(func(i *validator.Issuer) {
		i.URL = "https://id.example.com/realms/shop/protocol/openid-connect/certs"
	}), says: []string{"URL is the address of keys", "wanted the issuer", "Keys.URL"}},
	{name: "discovery URL as address of keys", make: issuer(func(i *validator.Issuer) {
		i.Keys = &jwks.Config{URL: "https://id.example.com/.well-known/openid-configuration"}
	}), says: []string{"Keys", "Config.URL is the address of the issuer's document", "wanted that of the key set, or Config.Issuer"}},
	{name: "discovery URL as issuer of keys", make: issuer(func(i *validator.Issuer) {
		i.Keys = &jwks.Config{Issuer: "https://id.example.com/.well-known/openid-configuration"}
	}), says: []string{"Keys", "Config.Issuer", "is the address of the issuer's document, wanted the issuer"}, set: true},
	{name: "discovery URL as introspection endpoint", make: issuer(func(i *validator.Issuer) {
		i.Introspection = &introspection.Config{Auth: auth, Endpoint: "https://id.example.com/.well-known/oauth-authorization-server"}
	}), says: []string{"Introspection", "Config.Endpoint is the address of the issuer's document", "or Config.Issuer"}},
	{name: "no audience", make: issuer(func(i *validator.Issuer) { i.Audience = nil }),
		says: []string{"Audience is empty", "wanted the name of this API"}},
	{name: "audience with a newline (secret file)", make: issuer(func(i *validator.Issuer) { i.Audience = []string{"https://orders.example.com\n"} }),
		says: []string{`Audience holds "https://orders.example.com\n"`, "file", "wanted the name of this API"}},
	{name: "audience with blanks", make: issuer(func(i *validator.Issuer) { i.Audience = []string{"orders invoices"} }),
		says: []string{`Audience holds "orders invoices"`, "several names are several strings"}},
	{name: "client id with a newline", make: issuer(func(i *validator.Issuer) { i.Clients = []string{"reports\n"} }),
		says: []string{`Clients holds "reports\n"`, "wanted client ids"}},
	{name: "Issuer.URL \"https//id…\" with Keys.URL set", make: issuer(func(i *validator.Issuer) {
		i.URL, i.Keys = "https//id.example.com", &jwks.Config{URL: "https://id.example.com/keys"}
	}), says: []string{`"https//id.example.com"`, "URL is not an absolute URL", "https://id.example.com"}},
	{name: "Issuer.URL \"garbage with spaces\" with Keys.URL set", make: issuer(func(i *validator.Issuer) {
		i.URL, i.Keys = "garbage with spaces", &jwks.Config{URL: "https://id.example.com/keys"}
	}), says: []string{`"garbage with spaces"`, "URL holds a blank", "wanted what tokens have in iss"}},
	{name: "introspection without Auth", make: issuer(func(i *validator.Issuer) { i.Introspection = &introspection.Config{} }),
		says: []string{"Introspection", "Config.Auth is missing", "the endpoint must know who asks"}},
	{name: "introspection with Secret of nothing", make: issuer(func(i *validator.Issuer) {
		i.Introspection = &introspection.Config{Auth: introspection.ClientSecretBasic("orders-api", introspection.Secret(""))}
	}), says: []string{"Introspection", "Config.Auth has an empty secret", "wanted the one that the authorization server has"}},
	{name: "introspection with the secret of a file", make: issuer(func(i *validator.Issuer) {
		i.Introspection = &introspection.Config{Auth: introspection.ClientSecretPost("orders-api", introspection.Secret("s3cret\n"))}
	}), says: []string{"Introspection", "Config.Auth", "control character", "line break"}, not: []string{"s3cret"}},
	{name: "Algorithms with a typo", make: issuer(func(i *validator.Issuer) { i.Algorithms = []string{"rs256"} }),
		says: []string{`Algorithms holds "rs256"`, "RS256", "exact case"}},
	{name: "Algorithms with HS256", make: issuer(func(i *validator.Issuer) { i.Algorithms = []string{"HS256"} }),
		says: []string{`Algorithms holds "HS256"`, "asymmetric"}},
	{name: "Algorithms with none", make: issuer(func(i *validator.Issuer) { i.Algorithms = []string{"none"} }),
		says: []string{`Algorithms holds "none"`, "unsigned"}, not: []string{"asymmetric"}},
	{name: "Algorithms with ES256K", make: issuer(func(i *validator.Issuer) { i.Algorithms = []string{"ES256K"} }),
		says: []string{`Algorithms holds "ES256K"`, "secp256k1", "sign with ES256"}, not: []string{"asymmetric"}},
	{name: "duplicate issuer", make: refused(func(c *validator.Config) { c.Issuers = append(c.Issuers, fine()) }),
		says: []string{`"https://id.example.com"`, "URL is configured twice"}},
	{name: "two introspecting issuers", make: refused(func(c *validator.Config) {
		one, other := fine(), fine()
		other.URL = "https://other.example.com"
		one.Introspection, other.Introspection = &introspection.Config{Auth: auth}, &introspection.Config{Auth: auth}
		c.Issuers = []validator.Issuer{one, other}
	}), says: []string{`"https://other.example.com"`, "have Introspection", "Config.OpaqueIssuer"}},
	{name: "OpaqueIssuer that can choose nobody", make: refused(func(c *validator.Config) {
		c.OpaqueIssuer = func(context.Context, string) string { return "" }
	}), says: []string{"Config.OpaqueIssuer", "no issuer has Introspection"}},
	{name: "skew", make: refused(func(c *validator.Config) { c.ClockSkew = time.Hour }),
		says: []string{"Config.ClockSkew is 1h0m0s", "at most 5m0s"}},
	{name: "sizes", make: refused(func(c *validator.Config) { c.MaxTokenBytes, c.CacheEntries = 10, 1<<30 }), lines: 2,
		says: []string{"Config.MaxTokenBytes is 10", "Config.CacheEntries is 1073741824", "wanted"}},
	{name: "Clients empty", make: issuer(func(i *validator.Issuer) { i.Clients = []string{} }),
		says: []string{"Clients is empty", "wanted nil for every client"}},
	{name: "Types with application/", make: issuer(func(i *validator.Issuer) { i.Profile.Types = []string{"application/at+jwt"} }),
		says: []string{`Profile.Types holds "application/at+jwt"`, "without"}},
	{name: "AppOnly where nothing can tell", make: issuer(func(i *validator.Issuer) { i.AppOnly = true }),
		says: []string{"AppOnly is set", "wanted a Profile with App"}},
	{name: "a very long issuer", make: issuer(func(i *validator.Issuer) { i.URL = "http://id.example.com/" + strings.Repeat("x", 5000) + "/v2" }),
		says: []string{"URL is http", "/v2"}},
}
