package observe

import "time"

// Kind says what an [Event] is about. It is fit for a log and for a meter.
type Kind string

// Requests. An event of these kinds has the fields of a request.
const (
	// Refused: a request was refused. Check and Err say why.
	Refused Kind = "token refused"
	// Accepted: a request passed all that one gate holds it against. It is told only
	// to an observer that asks. Behind two gates it is told by each, so a request
	// that the second one refuses, or a handler's Deny, is told as accepted and as
	// refused. Who passes an optional route without a token is not told.
	Accepted Kind = "token accepted"
)

// Key sets (package jwks).
const (
	// KeySetChanged: a fetch brought keys that were not there before (Added), or
	// left some out (Removed). A key that changed under its kid is in both.
	KeySetChanged Kind = "key set changed"
	// KeySkipped: a key of the set cannot be used (KeyID, Err), or is not for here
	// (jwks.ErrNotForUs). Told when it first appears, not again at each refresh. Of
	// a set with many such keys the first eight of each are told one by one, and one
	// event more, without KeyID, counts the others.
	KeySkipped Kind = "key skipped"
	// RefreshFailed: a fetch failed (Err). Keys that are known go on serving.
	RefreshFailed Kind = "refresh failed"
	// DiscoveryFailed: the issuer's metadata could not be read again (Err), and the
	// address known from before served instead.
	DiscoveryFailed Kind = "discovery failed"
	// StaleKeysInUse: the set is past its age, cannot be refreshed (Err) or not
	// within jwks.Config.RefreshWait, and serves until MaxStale. Once per outage.
	StaleKeysInUse Kind = "stale keys in use"
	// KeysExpired: the outage (Err) reached jwks.Config.MaxStale. From now on the
	// answer is ErrUnavailable, until a fetch succeeds.
	KeysExpired Kind = "keys expired"
)

// Introspection (package introspection).
const (
	// IntrospectionFailed: a request to the endpoint, or the discovery of the
	// endpoint, brought no usable answer.
	IntrospectionFailed Kind = "introspection failed"
	// IntrospectionRecovered: the first usable answer after failures.
	IntrospectionRecovered Kind = "introspection recovered"
	// TokenNotJudged: an endpoint that has answered before brought no usable answer
	// about one token, which anybody can cause where it refuses a kind of token in
	// this way.
	TokenNotJudged Kind = "token not judged"
)

// Answers that instances share (introspection.Config.Shared).
const (
	// SharedFailed: the store failed, or took too long (Err), and is left alone for a
	// second. The endpoint is asked as if there were no store. Once per outage.
	SharedFailed Kind = "shared answers failed"
	// SharedRecovered: the first call that went well after a failure.
	SharedRecovered Kind = "shared answers recovered"
	// SharedRejected: the store had an answer that was not for here, was altered, or
	// cannot be read (Err). It counts as none. At most once a second.
	SharedRejected Kind = "shared answer rejected"
)

// Seen proofs that instances share (package fleet).
const (
	// ReplaysFailed: the store of seen proofs failed, or took too long (Err). Requests
	// with a proof are refused with 503, or by what this instance has seen alone, as
	// fleet.Config says. Once per outage.
	ReplaysFailed Kind = "replay store failed"
	// ReplaysRecovered: the first answer after a failure.
	ReplaysRecovered Kind = "replay store recovered"
)

// Revocations (package revocation).
const (
	// FeedFailed: what fills a list of revocations cannot be read, or must be read again
	// for Issuer, whose tokens live for longer now (Err). What is held goes on counting.
	// A file's same fault is told once.
	FeedFailed Kind = "revocation feed failed"
	// FeedStale: nothing was heard of it for revocation.Config.StaleAfter (Err). Once
	// per outage.
	FeedStale Kind = "revocation feed stale"
	// FeedRecovered: the list is up to date again.
	FeedRecovered Kind = "revocation feed recovered"
	// Unrevocable: entries by token id stand for an issuer (Issuer) whose tokens have
	// no jti. Once per issuer.
	Unrevocable Kind = "token without id"
)

// Fact is something that is known about whoever calls.
type Fact struct {
	// Text is what is known; empty for nothing. What is unproven is cut to 200
	// bytes.
	Text string
	// Unproven says that a token claims it whose signature was not verified, or had
	// not been when it was refused: whoever sent it can have written anything.
	Unproven bool
}

// Event is one thing that an operator may want to know.
type Event struct {
	_ [0]func()

	Kind Kind
	// Err says what was wrong, what was wanted and where to mend it; nil where
	// nothing was wrong.
	Err error
	// Routine says that nothing went wrong and nothing changed: the first key set
	// after a start, or a key of it that is for others.
	Routine bool

	// Issuer is the issuer that it concerns, by its configured URL; empty where a
	// request names none that is known here, so that nobody can make its values up.
	// It is unproven while a token only claims to be that issuer's.
	Issuer Fact

	// Check is the step at which a request was refused, one of validator's Checks.
	Check string
	// ForeignIssuer is the iss that a token claims where no such issuer is known
	// here; always unproven.
	ForeignIssuer string
	// Client, Subject and TokenID are the token's client id, sub and jti.
	Client, Subject, TokenID Fact
	// Scopes is what the token of a refused request grants, in the form of a
	// challenge; empty where the token was not proven.
	Scopes Fact
	// Wanted is the scopes that the route needs, in the same form, if that is what
	// the request was refused for.
	Wanted string
	// ReportOnly says that the request's route only reports (httpauth's
	// DangerouslyReportOnly): a refused one was let through all the same.
	ReportOnly bool
	// Way is how an accepted request was proven.
	Way Way
	// Used is which of the scopes that the route's rule names the token of an accepted
	// request has, in the rule's words. It belongs to the route.
	Used []string
	// Took is how long it took to judge the request's token, waiting included; 0 where
	// it was not measured (Observer.SampleHits).
	Took time.Duration
	// Method, Route and Source are validator.Request's, where the adapter knows
	// them.
	Method, Route, Source string

	// URL is the address of the key set or the endpoint, without its query; empty
	// where it is not known.
	URL string
	// Status is that of the endpoint's answer; 0 if there was none.
	Status int
	// KeyID is the kid of a skipped key, if it has one.
	KeyID string
	// Added and Removed hold kids, or the RFC 7638 thumbprint of a key without one.
	Added, Removed []string
}

// Way is how a request was proven.
type Way string

// The ways.
const (
	// ByCache: the same token was proven before, and its proof still holds.
	ByCache Way = "cache"
	// BySignature: the signature was verified.
	BySignature Way = "signature"
	// ByIntrospection: the issuer, or what introspection remembers of its answer,
	// called the token active; for a fresh JWT in addition to its signature.
	ByIntrospection Way = "introspection"
)
