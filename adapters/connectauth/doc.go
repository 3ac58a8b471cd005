// Package connectauth lets the calls of a Connect server through that carry a good access
// token with the right scopes, and the proof that a bound one needs. It is package httpauth
// in the terms of Connect, gRPC and gRPC-Web: same checks, same answers.
//
//	auth := connectauth.New(v, connectauth.Rules{
//		"/orders.v1.Orders/List":   scopes.All("orders:read"),
//		"/orders.v1.Orders/Create": scopes.All("orders:write"),
//	}, nil)
//	mux := http.NewServeMux()
//	mux.Handle(ordersv1connect.NewOrdersHandler(orders))
//	server.Handler = auth.Protect(mux)
//
// It is a middleware of net/http's kind and judges a call before anything of its body is
// read. Handlers of connectrpc.com/connect and of its version 2 stand behind it alike.
//
// A procedure that is in no list is refused, whatever token comes with it: health and
// reflection are open by name or not at all. A path is taken as it was sent: one that
// differs in case, by a slash or by an escape is another one, and in no list. A
// handler finds the token with [validator.FromContext], and refuses by itself with
// [Auth.Deny]. Package connectguardtest is one test that no procedure is open by mistake.
//
// What a refused client gets, in the form of its protocol (JSON for a unary call of
// Connect's, the end of the stream, or trailers), each with the sentence of httpauth's
// answer as its message:
//
//	no credentials, or another scheme     unauthenticated     UNAUTHORIZED
//	malformed or repeated credentials     invalid_argument    INVALID_REQUEST
//	bad, expired, foreign, revoked token  unauthenticated     INVALID_TOKEN
//	a bound token without its proof       unauthenticated     INVALID_TOKEN
//	a bad DPoP proof, or one sent twice   unauthenticated     INVALID_DPOP_PROOF
//	a proof without this API's nonce      unauthenticated     USE_DPOP_NONCE
//	a proof, to a host of no PublicURL    invalid_argument    MISDIRECTED_REQUEST
//	a scope is missing                    permission_denied   INSUFFICIENT_SCOPE
//	the API's own policy says no, or the
//	procedure has no rule                 permission_denied   ACCESS_DENIED
//	too many new tokens of one caller     resource_exhausted  TOO_MANY_REQUESTS
//	keys, introspection, the store of
//	seen proofs or what is revoked
//	cannot be had                         unavailable         TEMPORARILY_UNAVAILABLE
//
// The word on the right is the Reason of a google.rpc.ErrorInfo of the domain [Domain]
// among the error's details; where a scope is missing, its Metadata names what the
// procedure needs as "scope". The last two come with a google.rpc.RetryInfo. The
// challenge of RFC 6750 is in the metadata "www-authenticate", and a nonce in
// "dpop-nonce", on success, too.
//
// # Streams
//
// A stream ends with its token: when that expires or is revoked, its key is withdrawn, or
// the validator is closed ([validator.Validator.Live]). Its client gets the error that the
// next call with this token would get; its handler, which runs in a goroutine of its own
// for that, a context that is done, and errors from then on, also in the place of messages
// that have come already. Of handlers that heed none of this and run on there are 256 at
// most: beyond that, a stream keeps its place on the connection until a handler has ended,
// and over gRPC the client is told no sooner. A call of gRPC's or gRPC-Web's whose
// procedure no linked descriptor calls unary (protoregistry.GlobalFiles) is taken for a
// stream.
//
// A unary call whose message comes slowly gets that error, too, if the token has ended
// before the message has; from handlers of connect-go 2, the code is unknown. A call that
// lasts asks for a context that ends so with httpauth.Gate.Live.
//
// # Proofs of possession
//
// A DPoP proof (RFC 9449) is for the HTTP request: its htm is POST, or GET where a
// procedure without side effects is called by that, and its htu
// httpauth.Config.PublicURL and the path, without the query that holds a GET's message.
package connectauth
