package dpop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/internal/quote"
	"github.com/m2mguard/m2mguard/internal/turns"
)

// The sentinels that errors.Is tells apart. Every error of Verify matches exactly one
// of them.
var (
	// ErrProof: there is no good proof (401, invalid_dpop_proof; RFC 9449 §7.1).
	ErrProof = errors.New("invalid_dpop_proof")
	// ErrKey: the proof is by another key than the token's (401, invalid_token, with
	// the description "Invalid DPoP key binding"; RFC 9449 §7.1).
	ErrKey = errors.New("invalid_token")
	// ErrNonce: the proof must hold the nonce that Result has (401, use_dpop_nonce; RFC
	// 9449 §9), whether it held none or a wrong one.
	ErrNonce = errors.New("use_dpop_nonce")
	// ErrThrottled: whoever calls has more proofs waiting to be verified than its share
	// (429). It says nothing about the proof.
	ErrThrottled = errors.New("too many requests")
	// ErrUnavailable: whether the proof is good cannot be told now (503): the store of
	// seen proofs failed or is nearly full, no turn came in time, or the request's
	// context ended. It says nothing about the proof.
	ErrUnavailable = errors.New("temporarily unavailable")
)

// Check names the line of the list in checks.go at which a proof was refused.
type Check string

// The checks, in the order in which they are made.
const (
	CheckField       Check = "field"       // exactly one DPoP field line (RFC 9449 §4.3, 1)
	CheckSize        Check = "size"        // Config.MaxProofBytes
	CheckParts       Check = "parts"       // a compact JWS (RFC 9449 §4.3, 2)
	CheckEncoding    Check = "encoding"    // strict base64url (RFC 7515 §2)
	CheckJSON        Check = "json"        // strict JSON objects (RFC 7519 §4)
	CheckType        Check = "typ"         // dpop+jwt (RFC 9449 §4.3, 4)
	CheckAlgorithm   Check = "alg"         // on Config.Algorithms (RFC 9449 §4.3, 5)
	CheckCritical    Check = "crit"        // no extension (RFC 7515 §4.1.11)
	CheckReference   Check = "reference"   // no x5u, x5c, x5t or jku: the key is jwk
	CheckJWK         Check = "jwk"         // a public key that fits alg (RFC 9449 §4.3, 7)
	CheckClaims      Check = "claims"      // jti, htm, htu and iat (RFC 9449 §4.3, 3)
	CheckMethod      Check = "htm"         // the request's method (RFC 9449 §4.3, 8)
	CheckURL         Check = "htu"         // the request's URL (RFC 9449 §4.3, 9)
	CheckIssuedAt    Check = "iat"         // within the window (RFC 9449 §4.3, 11)
	CheckTokenHash   Check = "ath"         // the token's hash (RFC 9449 §4.3, 12a)
	CheckThumbprint  Check = "jkt"         // the token's key (RFC 9449 §4.3, 12b)
	CheckNonce       Check = "nonce"       // one of ours (RFC 9449 §4.3, 10)
	CheckShare       Check = "share"       // the caller has no more proofs verified than its share
	CheckSignature   Check = "signature"   // by that key (RFC 9449 §4.3, 6)
	CheckReplay      Check = "replay"      // not seen before (RFC 9449 §11.1)
	CheckUnavailable Check = "unavailable" // a turn, and the store of seen proofs
)

// facts are what is constant about a check.
type facts struct {
	kind error
	// sentence is all that a client reads: it names the rule and nothing of what was
	// found, in characters that may stand in a challenge.
	sentence string
	// fix tells an operator where to look.
	fix string
}

var checks = map[Check]facts{
	CheckField:       {ErrProof, "The request must carry exactly one DPoP proof.", "send one DPoP header field with one proof; a comma means that two were joined on the way"},
	CheckSize:        {ErrProof, "The DPoP proof is too large.", "Config.MaxProofBytes"},
	CheckParts:       {ErrProof, "The DPoP proof is not a signed JWT.", "the client does not follow RFC 9449 §4.2"},
	CheckEncoding:    {ErrProof, "The DPoP proof is malformed.", "the client does not follow RFC 7515 §2"},
	CheckJSON:        {ErrProof, "The DPoP proof is malformed.", "the client does not follow RFC 7519"},
	CheckType:        {ErrProof, "The typ of the DPoP proof must be dpop+jwt.", "the client does not follow RFC 9449 §4.2"},
	CheckAlgorithm:   {ErrProof, "The DPoP proof is signed with an algorithm that this API does not accept.", "Config.Algorithms"},
	CheckCritical:    {ErrProof, "The DPoP proof uses an extension that this API does not understand.", "the client should leave it off"},
	CheckReference:   {ErrProof, "The DPoP proof must name its key by jwk alone.", "the client should leave x5u, x5c, x5t and jku off"},
	CheckJWK:         {ErrProof, "The DPoP proof must hold a public key that fits its algorithm.", "the client does not follow RFC 9449 §4.2; a private key that was sent must be replaced"},
	CheckClaims:      {ErrProof, "The DPoP proof lacks a claim or holds a malformed one.", "the client does not follow RFC 9449 §4.2"},
	CheckMethod:      {ErrProof, "The DPoP proof is for another HTTP method.", "the client should make a proof for each request"},
	CheckURL:         {ErrProof, "The DPoP proof is for another URL.", "the public URL of this API as it is configured, and as the client writes it; a proxy may cut off a prefix"},
	CheckIssuedAt:    {ErrProof, "The DPoP proof was made too long ago, or its iat lies ahead.", "the client's clock and ours; Config.MaxAge and Config.MaxAhead"},
	CheckTokenHash:   {ErrProof, "The DPoP proof is for another access token, or for none.", "the client should write ath, of the token that it sends"},
	CheckThumbprint:  {ErrKey, "Invalid DPoP key binding", "the client uses another key than the one that it got the token with"},
	CheckNonce:       {ErrNonce, "The DPoP proof must hold the nonce of this API.", "the client should take it from DPoP-Nonce and try again; instances must share the secrets of Config.Nonces"},
	CheckShare:       {ErrThrottled, "Too many DPoP proofs of this caller wait to be verified.", "Request.Source tells callers apart"},
	CheckSignature:   {ErrProof, "The signature of the DPoP proof is not valid.", "the proof was altered, or signed with another key than its jwk"},
	CheckReplay:      {ErrProof, "The DPoP proof was used before.", "the client should make a proof for each request, also for one that it tries again"},
	CheckUnavailable: {ErrUnavailable, "The DPoP proof cannot be checked right now.", "Config.Replays"},
}

// Error is why a proof was refused. It is immutable.
type Error struct {
	check      Check
	text       string   // what was found, in words
	got        []string // of the proof, quoted and bounded when printed
	want       []string
	retryAfter time.Duration
	cause      error
}

// Check names the line of the list that failed.
func (e *Error) Check() Check { return e.check }

// Description is one constant sentence for each check, fit for a client and for the
// error_description of a challenge.
func (e *Error) Description() string { return checks[e.check].sentence }

// RetryAfter is when a client may try again; zero unless the error is ErrUnavailable
// or ErrThrottled.
func (e *Error) RetryAfter() time.Duration { return e.retryAfter }

// Is makes errors.Is work with the sentinels.
func (e *Error) Is(target error) bool { return target == checks[e.check].kind }

// Unwrap returns the cause, if another error is behind this one.
func (e *Error) Unwrap() error { return e.cause }

// Error is for logs: the kind, the check, what was found, what was wanted and where to
// mend it. Values are quoted and bounded in length. Of the proof there are only typ,
// alg, htm, how old iat is, and htu without query, fragment and user.
func (e *Error) Error() string {
	about := checks[e.check]
	var b strings.Builder
	fmt.Fprintf(&b, "dpop: %v: %s", about.kind, e.check)
	if e.text != "" {
		b.WriteString(": " + e.text)
	}
	if got := e.gotten(); got != "" {
		b.WriteString(": got " + got)
	}
	if want := e.wanted(); want != "" {
		b.WriteString(", wanted " + want)
	}
	if e.cause != nil {
		fmt.Fprintf(&b, ": %v", e.cause)
	}
	b.WriteString(" (" + about.fix + ")")
	return b.String()
}

// gotten and wanted are the values, quoted; empty for none.
func (e *Error) gotten() string { return valuesOf(e.check.told(e.got), e.check.told(e.want)) }
func (e *Error) wanted() string { return valuesOf(e.check.told(e.want), e.check.told(e.got)) }

func valuesOf(values, others []string) string {
	if values == nil {
		return ""
	}
	return quote.List(values, others)
}

// found is what was found, in words and values.
func (e *Error) found() string {
	parts := []string{e.text, e.gotten()}
	if e.cause != nil {
		parts = append(parts, e.cause.Error())
	}
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), ": ")
}

// Format prints what Error returns, whatever the verb is.
func (e *Error) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, e.Error()) // State has no errors
}

// refuse is the short form for an error without values.
func refuse(check Check, text string) *Error { return &Error{check: check, text: text} }

// unavailable wraps what kept a turn, the store or a nonce from us.
func unavailable(text string, cause error) *Error {
	return &Error{check: CheckUnavailable, text: text, cause: cause, retryAfter: time.Second}
}

// noTurn is the error of a proof whose signature was not verified.
func noTurn(ctx context.Context, err error) *Error {
	if ctx.Err() == nil && errors.Is(err, turns.ErrShare) {
		return &Error{check: CheckShare, cause: err, retryAfter: time.Second}
	}
	return unavailable("the signature was not verified", err)
}

var errNotMade = unavailable("the Verifier was not made by dpop.New", nil)
