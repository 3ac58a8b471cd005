package config

import (
	"net/netip"
	"time"

	"github.com/m2mguard/m2mguard/revocation"
)

// Serve is the gate beside a proxy, as the command serve runs it.
type Serve struct {
	Proxy     string          `doc:"The proxy that asks: nginx, traefik, caddy, envoy, haproxy or apache."`
	Prefix    string          `doc:"For envoy: the path that it writes before the original's (path_prefix)."`
	Listen    string          `doc:"Where the proxy asks: host:port, or unix: and the path of a socket. Default 127.0.0.1:4180."`
	Admin     string          `doc:"Where operators and the API behind look: /ready, /live, /metrics, /.well-known/jwks.json. Default 127.0.0.1:4181; \"off\" for nowhere."`
	From      []netip.Prefix  `doc:"The networks that the proxy asks from, such as 127.0.0.1/32. Nobody else is answered."`
	Secrets   func() [][]byte `doc:"What the proxy shows in X-Auth-Secret: one, or two while they rotate. At least 16 bytes each."`
	Identity  Identity        `doc:"How the API behind learns who calls. Default: jwt, by a key of this process."`
	Routes    map[string]Rule `doc:"Who may do what: a method and a path, as Go's http.ServeMux takes them, and its rule. What no route names is refused."`
	OpenAPI   string          `doc:"Path of an OpenAPI 3 file whose operations are routes, by their security."`
	AccessLog string          `doc:"Which decisions are logged: all, refused or off. Default refused."`
	Drain     time.Duration   `doc:"How long requests under way may take once the program is told to end. Default 20s."`
	Notice    time.Duration   `doc:"How long /ready says no before that, so that nobody sends more. Default 0."`
	Realm     string          `doc:"The realm of challenges. Default api."`
}

// Rule is who may use a route.
type Rule struct {
	Scopes                []string             `doc:"Scopes that a token must have, all of them."`
	AnyOf                 []string             `doc:"Scopes of which it must have one; beside scopes, both count."`
	AnyToken              bool                 `doc:"Lets any good token pass, whatever its scopes."`
	Public                bool                 `doc:"Lets everybody pass, and looks at no token."`
	Optional              bool                 `doc:"Lets requests without any credentials pass as well, as nobody's."`
	Bound                 bool                 `doc:"Takes tokens that are bound to their sender alone."`
	MaxAge                *time.Duration       `doc:"How long ago the issuer may have confirmed the token; 0s asks it each time."`
	Audience              []string             `doc:"Narrows the issuer's audience for this route."`
	Stale                 revocation.WhenStale `doc:"What happens while the list of revocations is stale."`
	DangerouslyReportOnly bool                 `doc:"Refuses nobody but whose token was revoked, and logs what the rule would refuse."`
}

// Identity is what the gateway tells the API behind.
type Identity struct {
	JWT     *IdentityJWT `doc:"One JWT in X-Auth-Identity, signed by this gateway, with its keys at /.well-known/jwks.json of admin."`
	Headers bool         `doc:"Plain fields: X-Auth-Client, X-Auth-Subject, X-Auth-Issuer, X-Auth-Scopes, X-Auth-Roles, X-Auth-Tenant. Only where nobody reaches the API but through the proxy."`
}

// IdentityJWT is what the JWT says and is signed with.
type IdentityJWT struct {
	Issuer   string        `doc:"Its iss. Default m2mguard."`
	Audience string        `doc:"Its aud. Default: the first of api.publicURL."`
	KeyFile  string        `doc:"Path of the private key in PEM (PKCS #8; P-256 or Ed25519). Default: a new one at each start, which suits one instance alone."`
	Lifetime time.Duration `doc:"How long it is good, at most. Default 1m; 1s to 10m."`
}
