// Package httpauth lets the requests of a net/http API through that carry a
// good access token with the right scopes (RFC 6750), and the proof that a bound one
// needs (RFC 9449, RFC 8705), and answers the others.
//
//	auth := httpauth.New(v, nil)
//	mux.Handle("GET /orders", auth.Require(scopes.All("orders:read"))(http.HandlerFunc(listOrders)))
//
// [Middleware.Require] makes a func(http.Handler) http.Handler, so it serves chi
// and other routers of that kind as it is. A handler behind it finds the token
// with [validator.FromContext].
//
// What a refused client gets:
//
//	no credentials, or another scheme     401  a challenge without an error code
//	malformed or repeated credentials     400  invalid_request
//	bad, expired, foreign, revoked token  401  invalid_token
//	a bound token without its proof       401  invalid_token
//	a bad DPoP proof, or one sent twice   401  invalid_dpop_proof
//	a proof without this API's nonce      401  use_dpop_nonce, and DPoP-Nonce
//	a proof, to a host of no PublicURL    421  no challenge
//	a scope is missing                    403  insufficient_scope, and what the route needs
//	the API's own policy says no          403  access_denied, no challenge
//	too many new tokens of one caller     429  no challenge; Retry-After
//	keys, introspection, the store of
//	seen proofs or what is revoked
//	cannot be had                         503  no challenge; Retry-After
//
// Besides Require there are gates for routes that ask for more or for less:
// [Middleware.RequireFresh], [Middleware.RequireThat], [Middleware.RequireBound],
// [Middleware.RequireLive], [Middleware.Optional] and [Middleware.DangerouslyReportOnly]. Where gates stand
// behind each other, a request must pass all of them, and the handler sees what
// the last one let in.
//
// With [Config.PublicURL] and validator.Config.DPoP, proofs of possession are checked;
// [Middleware.MountMetadata] serves what challenges then point at. Package forwarded
// reads certificates that a proxy hands on.
//
// The body is a JSON object with error and error_description. It and the
// challenge hold constants alone, never a part of the request. [Config] can
// replace the rendering.
package httpauth
