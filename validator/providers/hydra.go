package providers

import (
	"strings"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/validator"
)

// Hydra is an Ory Hydra that issues JWTs (strategies.access_token is jwt). The
// issuer is urls.self.issuer, byte for byte: a trailing slash is part of it. The
// keys are discovered.
//
// Hydra writes "aud": [] unless the client asks with audience=, which its
// registration must allow. Scopes are in scp, scope or both, as configured
// (strategies.jwt.scope_claim). client_id must be there, which an ID token lacks.
// A Hydra that signs with another algorithm than RS256 needs it in Algorithms.
//
// AppOnly is set: a client that acts for itself is its own sub. The login
// application decides on the subjects of users; it must hand out none that is a
// client's id (RFC 9068 §5).
//
// For opaque tokens beside JWTs, or RequireFresh, take Introspection from
// [HydraOpaque].
func Hydra(issuerURL, audience string) validator.Issuer {
	args := of("Hydra")
	args.issuer(issuerURL)
	args.audience(audience)
	return args.on(hydra(issuerURL, audience))
}

// hydra is what both kinds of tokens have in common.
func hydra(issuerURL, audience string) validator.Issuer {
	return validator.Issuer{
		URL:        issuerURL,
		Audience:   []string{audience},
		AppOnly:    true,
		Algorithms: []string{"RS256"},
		Profile: validator.Profile{
			Require:     []string{"client_id"},
			MatchAnswer: map[string][]string{"token_use": {"access_token"}},
			App:         validator.SubjectIsClient,
		},
	}
}

// HydraOpaque is an Ory Hydra that issues opaque tokens, as it does by default.
// Each is taken to /admin/oauth2/introspect at the admin URL, such as
// "https://hydra-admin.internal:4445": Hydra's metadata does not name it. No key
// is fetched.
//
// token_use must be access_token: Hydra calls a refresh token active, too.
//
// Hydra asks nobody for credentials on its admin port, so keep the port away
// from everyone else, best behind a proxy that does ask, as auth answers it; a
// bare Hydra ignores them. Plain http to it, where it is not loopback, needs
// Introspection.DangerouslyAllowHTTP.
//
// All else is as for [Hydra]: AppOnly is set, too.
func HydraOpaque(issuerURL, audience, adminURL string, auth introspection.ClientAuth) validator.Issuer {
	args := of("HydraOpaque")
	args.issuer(issuerURL)
	args.audience(audience)
	args.url("admin URL", adminURL)
	args.auth(auth)
	iss := hydra(issuerURL, audience)
	iss.Introspection = &introspection.Config{
		Endpoint: strings.TrimSuffix(adminURL, "/") + "/admin/oauth2/introspect",
		Auth:     auth,
	}
	return args.on(iss)
}
