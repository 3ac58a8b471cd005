// Package grpcauth lets the calls of a gRPC server through that carry a good access token
// with the right scopes, and the proof that a bound one needs. It is package httpauth in
// gRPC's terms: same checks, same answers.
//
//	auth := grpcauth.New(v, grpcauth.Rules{
//		"/orders.v1.Orders/List":   scopes.All("orders:read"),
//		"/orders.v1.Orders/Create": scopes.All("orders:write"),
//	}, &grpcauth.Config{Public: []string{"/grpc.health.v1.Health/Check"}})
//	s := grpc.NewServer(auth.ServerOptions()...)
//
// A method that is in no list is refused, whatever token comes with it, and so is what a
// grpc.UnknownServiceHandler would have served: health and reflection are open by name or
// not at all. [FromOption] makes the rules of an option in .proto files. A handler finds
// the token with [validator.FromContext], and refuses by itself with [Auth.Deny]. Package
// grpcguardtest is one test that no method is open by mistake.
//
// The token is the one value of the metadata "authorization", as "Bearer" or "DPoP"; nothing
// else is looked at. What a refused client gets, each with the sentence of httpauth's answer
// as its message:
//
//	no credentials, or another scheme     UNAUTHENTICATED     UNAUTHORIZED
//	malformed or repeated credentials     INVALID_ARGUMENT    INVALID_REQUEST
//	bad, expired, foreign, revoked token  UNAUTHENTICATED     INVALID_TOKEN
//	a bound token without its proof       UNAUTHENTICATED     INVALID_TOKEN
//	a bad DPoP proof, or one sent twice   UNAUTHENTICATED     INVALID_DPOP_PROOF
//	a proof without this API's nonce      UNAUTHENTICATED     USE_DPOP_NONCE
//	a scope is missing                    PERMISSION_DENIED   INSUFFICIENT_SCOPE
//	the API's own policy says no, or the
//	method has no rule                    PERMISSION_DENIED   ACCESS_DENIED
//	too many new tokens of one caller     RESOURCE_EXHAUSTED  TOO_MANY_REQUESTS
//	keys, introspection, the store of
//	seen proofs or what is revoked
//	cannot be had                         UNAVAILABLE         TEMPORARILY_UNAVAILABLE
//
// The word on the right is the Reason of a google.rpc.ErrorInfo of the domain [Domain]
// among the status's details; where a scope is missing, its Metadata names what the method
// needs as "scope". The last two come with a google.rpc.RetryInfo. The challenge of RFC
// 6750 is in the metadata "www-authenticate", and a nonce in "dpop-nonce", on success, too:
// in the header, or in the trailer where the header has gone out already.
//
// # Streams
//
// A stream ends with its token: when that expires or is revoked, its key is withdrawn, or
// the validator is closed ([validator.Validator.Live]). Its client gets the status that the
// next call with this token would get, its handler a context that is done, and
// errors from then on, also in the place of messages that have come already; the handler
// runs in a goroutine of its own for that. Of handlers that heed none of this and run on
// there are 256 at most: beyond that, the next client is told when a handler has ended. A
// unary call that lasts asks for the same with httpauth.Gate.Live.
//
// # Proofs of possession
//
// A DPoP proof (RFC 9449) is the one value of the metadata "dpop". Its htm is POST, and its
// htu [Config.PublicURL] and the path of the method, such as
// "https://api.example.com/orders.v1.Orders/List"; the call's :authority is not read. A
// client certificate is that of the connection, or what [Config.ClientCertificate] finds.
//
// # What gRPC does before
//
// gRPC reads a unary call's message before any interceptor runs, so strangers can send
// messages up to grpc.MaxRecvMsgSize, and metadata up to grpc.MaxHeaderListSize: set both
// to what the API needs. A panic in a policy goes up as one in a handler does: an
// interceptor that recovers comes before this one. Where [grpc.Server.ServeHTTP] serves,
// the same interceptors run.
package grpcauth
