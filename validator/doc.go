// Package validator proves OAuth 2.0 access tokens that machines send to an
// API: who issued one, to which client, for which API, with which scopes, and
// until when; and that one which is bound to its client comes from there (package
// dpop, RFC 8705).
//
// [New] compiles a [Config]: the issuers that are trusted, and for each the
// proof. [Validator.Verify] takes a token through that proof, a JWT by the
// issuer's keys (package jwks), an opaque token by introspection (package
// introspection), and returns a [Token] or an [*Error] that says which check
// failed. A proven token is remembered: seen again, it costs a hash and a few
// comparisons, while time, key and scope are still checked on every request.
//
// HTTP is the adapters' work: httpauth, echoauth and ginauth read the header,
// call [Validator.VerifyRequest], hold the token's scopes against the route's rule,
// and write the challenge.
//
//	v, err := validator.New(validator.Config{
//		Issuers: []validator.Issuer{{
//			URL:      "https://id.example.com",
//			Audience: []string{"https://orders.example.com"},
//		}},
//	})
//
// An outage of the issuer is never an answer about a token: it is
// [ErrUnavailable], which adapters answer with 503. A caller with more new tokens
// waiting than its share gets [ErrThrottled], which is a 429.
package validator
