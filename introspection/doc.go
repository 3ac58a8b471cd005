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
// or false. Everything else says nothing by itself: real servers and the firewalls
// before them answer 401, 403, 404, 500, a redirect or nothing at all both when
// they refuse our credentials and when they do not like one token. The caller gets
// an [UnavailableError], unless it can be told apart; see below.
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
// # An issuer's own way
//
// Config.Introspector asks in place of a request of RFC 7662: Google's tokeninfo, say
// (see the example), or Kubernetes' TokenReview. It says whether a token is active and
// what it says, or that it cannot tell, and whose trouble that is ([AboutEndpoint],
// [AboutToken], or nobody knows). Everything below is the same for it, but for what is
// said of credentials: its own are its own, and count as unknown.
//
// # What is remembered
//
// Answers are held under HMAC-SHA-256 of endpoint and token, with a random key
// per Client. Each Client asks as one OAuth client and has a cache of its own,
// so an answer given to one is never served to another, and the memory of the
// process holds no token for the sake of this cache. (Up to eight tokens last seen
// active are held as controls, see below: sealed under a key of this process, until
// they expire or are inactive.) Active and inactive
// answers are held apart, so that made-up tokens cannot push out real ones.
// Config.CacheEntries says what the memory bound is.
//
// # What instances share
//
// Config.Shared is a second-level store, such as fleet's. It is asked about what this
// Client has no answer for, before the call waits for its turn, and never on a hit. Of
// all instances that miss an answer one has a lease and asks; the others look for what
// it saves. What is loaded is held against all that an endpoint's answer is: it is
// decoded, proven where it must be signed, and counts from when it was asked for, for
// the shorter of both lifetimes, until its exp. A clock of another instance is believed
// within ten seconds, and never so that an answer seems younger. Trouble costs
// Config.SharedTimeout once a second, and nobody is refused for it.
//
// # Whose failure it is
//
// Tokens are written by strangers, so what one of them makes the endpoint do must
// not be another's trouble, and an outage must not be taken for a bad token. A
// request without a usable answer is one of four things:
//
//	not sent     no address, no connection, TLS refused, time over before it was
//	             written; our own client authentication failed: no token's text can
//	             cause it. It counts against the gate.
//	slow down    429 or 503 with Retry-After. About a token never seen active it
//	             slows those alone, to what the server grants, and to no less than two
//	             a second for each source that waits (64 for all together). About one last seen active it halves how many
//	             of those are under way, and a second one about a different such
//	             token within its time stops everybody, for 30 s at most.
//	a refusal    a plain 401, 403, 404 or 410, or an error of invalid_token or
//	             unsupported_token_type: servers refuse tokens with these
//	odd          everything else: any other status, a redirect, rubbish, a reset, no
//	             answer in time
//
// The last two are held against a control: another token that these credentials
// were told is active, asked about after the failure.
//
//	token ─▶ refusal or odd ─▶ control, asked about afterwards, once a second at most
//	                            ├─ none at hand, or none answered ──▶ unavailable
//	                            ├─ it fails as well ────────────────▶ unavailable; the operator
//	                            │                                     is told of the credentials
//	                            └─ it is active, so the endpoint is well
//	                                ├─ a refusal, same credentials ─▶ the token is refused
//	                                └─ else the token is asked about once more
//	                                    ├─ an answer ───────────────▶ that counts
//	                                    └─ it fails again ──────────▶ the token is refused
//
// This is sound because of the order. Whatever began before the token's failure and
// goes on (an outage, revoked credentials) meets the control, too. Whatever ended
// meanwhile meets the token no more when it is asked about again. Credentials that
// were replaced in between are noticed, since the control speaks for its own alone.
// Any active answer that was asked for after the failure serves as control, so a
// busy endpoint is asked nothing more. A server that answers 5xx, or drops the
// connection, is given one chance more. A refusal ([RefusedError]) is remembered for
// a second in a table of its own, which never hides an answer.
//
// # The gate
//
//	       3 in a row: not sent, or about a token last seen active
//	       and no control says otherwise
//	open ───────────────────────────────────────────────▶ shut for 100 ms,
//	 ▲                                                     doubling up to 5 s
//	 │ an answer                                             │ time is over
//	 └────────────────────── on trial ◀──────────────────────┘
//	                         few at a time ──one more failure──▶ shut for longer
//
// While it is shut nobody is asked about, and callers are told when to come back.
// Nothing that a stranger's token causes moves it: such failures lower how many
// tokens never seen active may be under way, by half at a time and never below
// four, and each answer raises that again.
//
// # Waiting for a turn
//
// Concurrent callers with the same token share one request, which no caller's
// cancellation ends once it was sent. Callers that want an answer from now on wait
// for the request under way and share the next one.
//
// Tokens never seen active and tokens last seen active have separate budgets of
// requests under way (Config.MaxConcurrent). Who finds no turn waits, within
// Config.MaxWaiting and Config.MaxWait, because a crowd after a deploy is not an
// attack. Turns go to the source that holds fewest and then round robin
// ([Question].Source), so a stranger's thousand tokens delay another's one by two
// turns; a turn that lasts far longer than usual is taken for a source that holds
// fewer. When the room is full, the newest of the source with most is refused with
// [ErrThrottled]. A rate bounds tokens never seen active only while nearly none of
// them is active (Config.MaxPerSecond).
//
// Answers already remembered are served throughout.
package introspection
