package validator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/internal/quote"
)

// The sentinels that errors.Is tells apart. Every error of Verify matches
// exactly one of them.
var (
	// ErrMissingToken: the request carries no token, or by a scheme that is not
	// accepted (401 without an error code, RFC 6750 §3.1).
	ErrMissingToken = errors.New("no bearer token")
	// ErrInvalidRequest: the credentials are malformed or repeated (400).
	ErrInvalidRequest = errors.New("invalid_request")
	// ErrInvalidToken: the token is malformed, expired, revoked, foreign, or
	// not proven (401).
	ErrInvalidToken = errors.New("invalid_token")
	// ErrInsufficientScope: the token is good and may not do this (403).
	ErrInsufficientScope = errors.New("insufficient_scope")
	// ErrDenied: the token is good, and the API's own policy says no (403). No
	// other scope would help.
	ErrDenied = errors.New("access_denied")
	// ErrThrottled: whoever calls has more tokens checked for the first time than
	// its share (429). It says nothing about the token.
	ErrThrottled = errors.New("too many requests")
	// ErrUnavailable: whether the token is good cannot be told now, because
	// keys or introspection cannot be had (503). It says nothing about the token.
	ErrUnavailable = errors.New("temporarily unavailable")
)

// Check names the step at which a token was refused.
type Check string

// The checks, about in the order in which they are made.
const (
	CheckMissing     Check = "missing"     // a token was sent
	CheckRequest     Check = "request"     // exactly one, well formed (RFC 6750 §2.1)
	CheckSize        Check = "size"        // Config.MaxTokenBytes
	CheckShape       Check = "shape"       // of a kind that some issuer here proves
	CheckEncoding    Check = "encoding"    // strict base64url (RFC 7515 §2)
	CheckJSON        Check = "json"        // strict JSON objects (RFC 7519 §4)
	CheckCritical    Check = "crit"        // no extension (RFC 7515 §4.1.11)
	CheckIssuedAt    Check = "iat"         // a NumericDate
	CheckIssuer      Check = "iss"         // a configured issuer, byte for byte
	CheckType        Check = "typ"         // an access token (RFC 8725 §3.11)
	CheckAlgorithm   Check = "alg"         // on the issuer's list and the key's own
	CheckExpiry      Check = "exp"         // present, a NumericDate, and not past
	CheckNotBefore   Check = "nbf"         // a NumericDate, and not in the future
	CheckAudience    Check = "aud"         // one of ours
	CheckBinding     Check = "cnf"         // by whom it is bound to, if to anybody
	CheckProof       Check = "proof"       // of possession, for this request and once (RFC 9449 §4.3)
	CheckNonce       Check = "nonce"       // in it, where this API hands them out (RFC 9449 §9)
	CheckHost        Check = "host"        // the request is for a public URL of this API
	CheckKey         Check = "key"         // a key of the issuer
	CheckSignature   Check = "signature"   // by that key
	CheckActive      Check = "active"      // introspection says so (RFC 7662 §2.2)
	CheckRevoked     Check = "revoked"     // nothing is held against it (Config.Revocations)
	CheckClaims      Check = "claims"      // what the profile asks for
	CheckClient      Check = "client"      // on Issuer.Clients
	CheckApp         Check = "app"         // issued to a client, where Issuer.AppOnly asks for it
	CheckScope       Check = "scope"       // what the route needs
	CheckPolicy      Check = "policy"      // the API's own decision
	CheckShare       Check = "share"       // the caller has no more tokens checked than its share
	CheckUnavailable Check = "unavailable" // keys or introspection can be had
)

// facts are what is constant about a check.
type facts struct {
	kind error
	// sentence is all that a client reads: it names the rule and nothing of
	// what was found, in characters that may stand in a challenge.
	sentence string
	// fix tells an operator where to look.
	fix string
}

var checks = map[Check]facts{
	CheckMissing:     {ErrMissingToken, "No access token was sent.", "send it as: Authorization: Bearer <token>, or DPoP where validator.Config.DPoP is set; if the client does send it, a proxy on the way removes it"},
	CheckRequest:     {ErrInvalidRequest, "The request must carry exactly one well-formed bearer token, in the Authorization header.", "send one Authorization header with one token"},
	CheckSize:        {ErrInvalidToken, "The access token is too large.", "Config.MaxTokenBytes"},
	CheckShape:       {ErrInvalidToken, "The access token is not of a kind that this API accepts.", "Issuer.Keys proves JWTs, Issuer.Introspection proves any token"},
	CheckEncoding:    {ErrInvalidToken, "The access token is malformed.", "the client altered the token, or the authorization server does not follow RFC 7515"},
	CheckJSON:        {ErrInvalidToken, "The access token is malformed.", "the authorization server does not follow RFC 7519"},
	CheckCritical:    {ErrInvalidToken, "The access token uses an extension that this API does not understand.", "turn the extension off at the authorization server"},
	CheckIssuer:      {ErrInvalidToken, "The access token is from an issuer that this API does not trust.", "Issuer.URL is compared byte for byte, a trailing slash included"},
	CheckType:        {ErrInvalidToken, "The token is not an access token of the type that this API accepts.", "Issuer.Profile"},
	CheckAlgorithm:   {ErrInvalidToken, "The access token is signed with an algorithm that this API does not accept.", "Issuer.Algorithms"},
	CheckExpiry:      {ErrInvalidToken, "The access token has expired.", "the client should fetch a new token; Config.ClockSkew and Config.Now"},
	CheckNotBefore:   {ErrInvalidToken, "The access token is not valid yet.", "Config.ClockSkew and Config.Now"},
	CheckIssuedAt:    {ErrInvalidToken, "The issue time of the access token is malformed.", "the authorization server does not follow RFC 7519 §4.1.6"},
	CheckAudience:    {ErrInvalidToken, "The access token is meant for another API.", "Issuer.Audience, or the audience that the client asks for"},
	CheckClaims:      {ErrInvalidToken, "The access token lacks a claim that this API needs.", "Issuer.Profile"},
	CheckBinding:     {ErrInvalidToken, "The access token is bound to a sender and cannot be used as a bearer token.", "let the authorization server bind its tokens to a key by jkt (DPoP), to a certificate by x5t#S256 (mTLS), or to nobody"},
	CheckProof:       {ErrInvalidToken, "The DPoP proof is not valid.", "Config.DPoP"},
	CheckNonce:       {ErrInvalidToken, "The DPoP proof must hold the nonce of this API.", "the client should take it from DPoP-Nonce and try again"},
	CheckHost:        {ErrInvalidRequest, "This host serves no API of the name that was asked for.", "httpauth.Config.PublicURL"},
	CheckClient:      {ErrInvalidToken, "The access token was issued to a client that this API does not accept.", "Issuer.Clients"},
	CheckApp:         {ErrInvalidToken, "The access token was issued to a user, and this API accepts clients only.", "Issuer.AppOnly and Profile.App"},
	CheckKey:         {ErrInvalidToken, "The access token is signed with a key that its issuer does not publish.", "the issuer's key set, Issuer.Keys"},
	CheckSignature:   {ErrInvalidToken, "The signature of the access token is not valid.", "the token was altered or is not the issuer's"},
	CheckActive:      {ErrInvalidToken, "The access token is not active.", "it was revoked, has expired, or the authorization server does not show it to this API's client"},
	CheckRevoked:     {ErrInvalidToken, "The access token was revoked.", "Config.Revocations; the client needs a new token, or that its entry is lifted"},
	CheckScope:       {ErrInsufficientScope, "The access token lacks a scope that this request needs.", "the client should ask its authorization server for the scope"},
	CheckPolicy:      {ErrDenied, "This API does not let the client of the access token do this.", "the API's own policy: RequireThat, Deny, or what has no rule in an adapter's Rules"},
	CheckShare:       {ErrThrottled, "Too many access tokens of this caller wait to be checked.", "httpauth.Config.Source tells callers apart; Config.VerifyWait, and introspection's MaxConcurrent, MaxPerSecond, MaxWaiting and MaxWait say how many wait, and for how long"},
	CheckUnavailable: {ErrUnavailable, "The access token cannot be checked right now.", "Issuer.Keys, Issuer.Introspection"},
}

// Error is why a token was refused. It is immutable.
type Error struct {
	check      Check
	flaw       flaw
	text       string   // what was found, in words
	got        []string // values from the token, quoted and bounded when printed
	want       []string // values from the configuration
	needs      string   // scopes, in challenge form
	retryAfter time.Duration
	cause      error
	gaveUp     bool   // the caller's context ended: it says nothing about the token or the issuer
	hint       string // where to mend it, if that is not what the check always says
	dpop       *dpopError
	token      *contents // the good token that lacks a scope
	said       *sighting // what another token said, for the observer
}

// dpopError is the part of an error that is about a proof of possession, or for want
// of one.
type dpopError struct {
	sentence string // for clients, if that is not what the check always says; constant, too
	nonce    string // for DPoP-Nonce; in no text
}

func (e *Error) ofDPoP() dpopError {
	if e.dpop == nil {
		return dpopError{}
	}
	return *e.dpop
}

// Check names the step that failed.
func (e *Error) Check() Check { return e.check }

// Code is the error code of RFC 6750 §3.1: invalid_request, invalid_token,
// insufficient_scope; of RFC 9449 §7.1: invalid_dpop_proof and use_dpop_nonce, which are
// ErrInvalidToken, too; or empty where the RFC has none (no token was sent, the
// API's policy says no, or the answer is a 429 or a 503).
func (e *Error) Code() string {
	switch e.check {
	case CheckProof:
		return "invalid_dpop_proof"
	case CheckNonce:
		return "use_dpop_nonce"
	}
	switch kind := checks[e.check].kind; kind {
	case ErrInvalidRequest, ErrInvalidToken, ErrInsufficientScope:
		return kind.Error()
	}
	return ""
}

// Scheme is DPoP where a proof of possession failed, or is what the token needs; else
// empty. It is for the challenge (RFC 9449 §7.1).
func (e *Error) Scheme() string {
	if e.dpop == nil {
		return ""
	}
	return schemeDPoP
}

// Nonce is for the DPoP-Nonce field of the answer (RFC 9449 §8.2), which must not be
// cached then; empty for none. No text holds it.
func (e *Error) Nonce() string { return e.ofDPoP().nonce }

// Description is one constant sentence for each check, or for each way to fail
// it where what is absent, malformed or wrong is mended in different places. It
// is fit for a client and for the error_description of a challenge.
func (e *Error) Description() string { return cmp.Or(e.ofDPoP().sentence, e.facts().sentence) }

// Scope is what the route needs, in the form of a challenge's scope attribute;
// empty unless the error is ErrInsufficientScope.
func (e *Error) Scope() string { return e.needs }

// RetryAfter is when a client may try again; zero unless the error is
// ErrUnavailable or ErrThrottled.
func (e *Error) RetryAfter() time.Duration { return e.retryAfter }

// Is makes errors.Is work with the sentinels.
func (e *Error) Is(target error) bool { return target == checks[e.check].kind }

// Unwrap returns the cause, if another error is behind this one.
func (e *Error) Unwrap() error { return e.cause }

// Error is for logs: the code, the check, what was found, what was wanted and
// where to mend it. Values are quoted, bounded in length, and never cut where
// they differ; the token itself is never in it.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "validator: %v: %s", checks[e.check].kind, e.check)
	if e.text != "" {
		b.WriteString(": " + e.text)
	}
	switch {
	case e.token != nil:
		b.WriteString(": " + e.token.lacks(e.needs))
	case e.got != nil:
		b.WriteString(": got " + quote.List(e.got, e.want))
	}
	if e.want != nil {
		b.WriteString(", wanted " + quote.List(e.want, e.got))
	}
	if e.cause != nil {
		b.WriteString(": " + quote.Line(withoutPreamble(e.cause).Error()))
	}
	if fix := e.fix(); fix != "" {
		b.WriteString(" (" + fix + ")")
	}
	return b.String()
}

// foundAndWanted are the parts of Error that say so; empty for nothing.
func (e *Error) foundAndWanted() (found, wanted string) {
	parts := []string{e.text}
	switch {
	case e.token != nil:
		parts = append(parts, e.token.lacks(e.needs))
	case e.got != nil:
		parts = append(parts, quote.List(e.got, e.want))
	}
	if e.cause != nil {
		parts = append(parts, quote.Line(withoutPreamble(e.cause).Error()))
	}
	if e.want != nil {
		wanted = quote.List(e.want, e.got)
	}
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), ": "), wanted
}

// Format prints what Error returns, whatever the verb is: the fields hold values
// from the token as they came.
func (e *Error) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, e.Error()) // State has no errors
}

// NewError makes the error of a check that is made outside this package: an
// adapter's CheckMissing and CheckRequest, which it makes before Verify, and
// CheckPolicy, which comes last. It panics if there is no such check.
func NewError(check Check) *Error {
	if _, ok := checks[check]; !ok {
		panic(fmt.Sprintf("validator: NewError(%q): there is no such check", check))
	}
	return &Error{check: check}
}

// Because returns a copy of e with a cause of the program's own: for logs, where
// it is quoted and bounded in length, and for errors.Is and errors.As; never for
// clients. The copy matches the sentinel that e matches and no other. If it is
// ErrUnavailable, it takes over when to try again. A nil cause is none.
func (e *Error) Because(cause error) *Error {
	because := *e
	if cause == nil {
		return &because
	}
	because.cause = reason{cause}
	if because.check == CheckUnavailable {
		because.hint = "what this API asked for a decision of its own"
		if behind, ok := errors.AsType[*Error](cause); ok {
			because.retryAfter = behind.retryAfter
		}
	}
	return &because
}

// reason is a cause that may repeat what a client wrote, and may be about another
// token than the one that is refused.
type reason struct{ err error }

func (r reason) Error() string { return quote.Value(r.err.Error()) }

func (r reason) Is(target error) bool {
	switch target {
	case ErrMissingToken, ErrInvalidRequest, ErrInvalidToken, ErrInsufficientScope, ErrDenied, ErrThrottled, ErrUnavailable:
		return false
	}
	return errors.Is(r.err, target)
}

func (r reason) As(target any) bool { return errors.As(r.err, target) }

// refuse is the short form for an error without values.
func refuse(check Check, text string) *Error { return &Error{check: check, text: text} }

// unavailable wraps what kept keys or introspection from us.
func unavailable(retryAfter time.Duration, cause error) *Error {
	return &Error{check: CheckUnavailable, retryAfter: max(retryAfter, time.Second), cause: cause}
}

// throttled wraps why a source got no turn.
func throttled(cause error) *Error {
	return &Error{check: CheckShare, retryAfter: time.Second, cause: cause}
}

// What a request meets that is nobody's fault.
var (
	errNotMade = &Error{check: CheckUnavailable, retryAfter: time.Second, text: "the Validator was not made by validator.New",
		hint: "a zero or nil one answers nothing else"}
	errClosed = &Error{check: CheckUnavailable, retryAfter: time.Second, text: "the validator is closed",
		hint: "Close was called: it ends with the process, or a new Validator takes its place"}
	errUnsettled = &Error{check: CheckUnavailable, retryAfter: time.Second,
		text: "the issuer's keys or rules went on changing while the token was verified",
		hint: "how often ForgetIssuer is called, and whether the issuer publishes one key set everywhere"}
	errForgotten = &Error{check: CheckUnavailable, retryAfter: time.Second,
		text: "ForgetIssuer was called while the issuer was being looked up", hint: "the next try asks Config.Resolver again"}
	errBusy = &Error{
		check: CheckUnavailable, retryAfter: time.Second,
		text: "too many first-time verifications are under way (Config.VerifySlots, Config.VerifyWait)",
	}
)

// gaveUp is the error of a caller whose context ended while it waited.
func gaveUp(ctx context.Context) *Error {
	return &Error{check: CheckUnavailable, gaveUp: true, cause: context.Cause(ctx)}
}

// leaderGaveUp reports whether an error concerns only the caller that worked for
// others.
func leaderGaveUp(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	return ok && (refused.gaveUp || refused.check == CheckShare) // its source's share is not theirs
}
