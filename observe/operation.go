package observe

import "context"

// OperationKind says what a call is for.
type OperationKind string

// The kinds of operations.
const (
	// FetchKeys: a key set is fetched; where its address is to be discovered first,
	// a Discover is part of it.
	FetchKeys OperationKind = "fetch key set"
	// Discover: an issuer's metadata is read (RFC 8414, OpenID Connect Discovery).
	Discover OperationKind = "discover"
	// Introspect: one request to the introspection endpoint, with the client's
	// authentication, and with a second one where a secret has just rotated.
	Introspect OperationKind = "introspect"
	// ShareAnswers: introspection.Config.Shared is called.
	ShareAnswers OperationKind = "share answers"
	// RememberProof: fleet's store of seen proofs is asked, which a request waits for.
	RememberProof OperationKind = "remember proof"
	// Revoke: fleet.Fleet.Revoke, until Redis has the entry and another instance
	// acknowledged it.
	Revoke OperationKind = "revoke"
	// Resolve: validator.Config.Resolver is asked.
	Resolve OperationKind = "resolve issuer"
)

// Operation is one call that touches a network, or may.
type Operation struct {
	_ [0]func()

	Kind OperationKind
	// Issuer is the issuer's URL. That of a Resolve comes from a token that nobody
	// has proven.
	Issuer string
	// URL is the address, without its query; empty where it is not known yet.
	URL string
	// Cause links a call that goes on whatever becomes of the request that caused it,
	// and that others may share, to that request: it has the values of the request's
	// context and never ends. Nil: nobody waits for it, or the context that Start
	// gets is the caller's own.
	Cause context.Context
}
