// Package scopes holds what an access token may do and what a route needs.
//
// A [Set] is what a token was granted. A [Rule] is what a route asks for:
//
//	scopes.All("orders:read", "orders:list") // each of them
//	scopes.Any("orders:read", "orders:admin") // at least one
//	scopes.AllOf(scopes.All("orders:read"), scopes.Any("eu", "us"))
//	scopes.AnyToken() // a valid token, whatever its scopes
//
// Names are compared exactly: case counts, and "orders" does not contain
// "orders:read" nor the other way round. A set whose issuer means "orders:*" to
// cover more says so by [Set.WithWildcards]; a star in a rule is a letter like any
// other. Names hold the characters of RFC 6749 §3.3 only. A Rule is a constant of a program, so a wrong one panics where it
// is written. Both types are immutable and safe for concurrent use, and checking
// one against the other allocates nothing.
package scopes
