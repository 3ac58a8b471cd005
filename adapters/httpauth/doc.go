// Package httpauth lets the requests of a net/http API through that carry a
// good bearer token with the right scopes (RFC 6750), and answers the others.
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
//	a scope is missing                    403  insufficient_scope, and what the route needs
//	the API's own policy says no          403  access_denied, no challenge
//	too many new tokens of one caller     429  no challenge; Retry-After
//	keys or introspection cannot be had   503  no challenge; Retry-After
//
// Besides Require there are gates for routes that ask for more or for less:
// [Middleware.RequireFresh], [Middleware.RequireThat], [Middleware.RequireBound],
// [Middleware.Optional] and [Middleware.DangerouslyReportOnly]. Where gates stand
// behind each other, a request must pass all of them, and the handler sees what
// the last one let in.
//
// The body is a JSON object with error and error_description. It and the
// challenge hold constants alone, never a part of the request. [Config] can
// replace the rendering.
package httpauth
