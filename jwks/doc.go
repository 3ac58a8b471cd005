// Package jwks keeps an issuer's signature keys at hand: a cached, refreshed
// and bounded view of its JSON Web Key Set (RFC 7517).
//
// A [KeySet] discovers where the keys are (OpenID Connect Discovery 1.0, RFC
// 8414), or is told by URL, or is given a fixed set. It fetches when the first
// caller asks, and refreshes in the background for as long as somebody asks.
// A request that names a known key reads one atomic pointer: no lock, no
// allocation, no clock.
//
// Keys are read as they are meant. Base64 may be in either alphabet, with padding or
// without; a number may have leading zeros too many or too few; an x5c alone is its
// first certificate's key, and beside a key it must agree. So may a byte order mark
// stand before the set. What could be read in two ways is skipped, and reported by the
// member and its place; an x5c that cannot be read says nothing. A private key is skipped with
// every other form of the same key, in PEM as well.
//
// What an issuer may do to us is bounded. Answers are limited in size and time,
// and redirects are not followed. A key that cannot be used is skipped and
// reported; a set that cannot be used never replaces one that can. The last
// good keys go on serving for [Config.MaxStale] while the issuer is down. A set
// that has aged unused is refreshed before it is used, for which nobody waits
// longer than [Config.RefreshWait].
//
// What a client may do to the issuer through us is bounded too. A token that
// names an unknown key may cause one fetch, shared by all who wait for it, and
// a flood of such tokens causes no more than one per [Config.MinFetchInterval],
// after a burst of two. So may one that names no key, once those that may have
// signed it did not, of which [MaxCandidates] are tried. A kid that no key has causes
// none once it was proved: see [KeySet.Proved]. A bad signature under a kid
// that is known causes none.
//
// [ErrKeyNotFound] says that the token is invalid; [ErrUnavailable] says that
// nobody knows, because the keys cannot be had: answer 503, not 401.
//
// Users of golang-jwt get the same keys through package jwks/keyfunc.
package jwks
