// Package introspection asks an authorization server what it knows about an
// access token (RFC 7662) and remembers the answers for a short, bounded time.
//
// A [Client] is made from a [Config] by [New], which does no I/O. It is safe
// for concurrent use and ends with [Client.Close]:
//
//	client, err := introspection.New(introspection.Config{
//		Endpoint: "https://id.example.com/oauth2/introspect",
//		Auth:     introspection.ClientSecretBasic("orders-api", introspection.Secret(secret)),
//	})
//
// Most users never do this themselves: they put a Config into
// validator.Issuer.Introspection, and the validator checks what the answer says
// (exp, nbf, iss, aud) on every request. This package decides one thing only:
// whether there is an answer, and how old it may be.
//
// # What is trusted
//
// An answer counts if it has status 200 and is one strict JSON object (no
// duplicate names, UTF-8, nothing after it) whose active is the JSON value true
// or false. Everything else, refused credentials and redirects included, says
// nothing about the token: the caller gets an [UnavailableError], and the
// failure is not remembered.
//
// With Config.Answers the answer must be signed (RFC 9701): the verifier proves
// it, what it returns is read in the same way, and an answer in plain JSON
// counts as none.
//
// An answer that only a strict reader refuses (a name that occurs twice, half a
// surrogate pair, any depth) says something about its token at most: clients have
// a say in what answers hold. It counts against the endpoint for nobody else.
//
// # How this resource server authenticates
//
// By a secret ([ClientSecretBasic], [ClientSecretPost]), by a private key
// ([PrivateKeyJWT], RFC 7523), by a client certificate ([TLSClientAuth], RFC
// 8705), by an access token of its own ([BearerToken]), or by a [ClientAuth] of
// the user's. Each is asked anew for every request, so that secrets, keys and
// tokens can rotate without a restart.
//
// # What is remembered
//
// Answers are held under HMAC-SHA-256 of endpoint and token, with a random key
// per Client. Each Client asks as one OAuth client and has a cache of its own,
// so an answer given to one is never served to another, and the memory of the
// process holds no token for the sake of this cache. Active and inactive
// answers are held apart, so that made-up tokens cannot push out real ones.
// Config.CacheEntries says what the memory bound is.
//
// # What the endpoint is spared
//
// Concurrent callers with the same token share one request, which no caller's
// cancellation ends. Tokens never seen active and tokens last seen active have
// separate budgets of concurrent requests, so that a flood of made-up tokens
// does not lock out those that passed before. After three failures in a row a
// budget closes for 100 ms, doubling up to 5 s, and then lets a single request
// probe; a Retry-After (RFC 9110 §10.2.3) of a 429 or 503 answer closes both
// until then, for at most 5 minutes. Answers already remembered are served
// throughout.
package introspection
