package revocation

import (
	"fmt"
	"time"
)

// Outcome is what is to be done with a request.
type Outcome uint8

// The outcomes.
const (
	// Unavailable: whether the token is revoked cannot be told now (503).
	Unavailable Outcome = iota
	// Passes: nothing is held against the token.
	Passes
	// Revoked: the token is revoked (401, invalid_token).
	Revoked
	// AskIssuer: nothing is held against the token, but the feed is too old to go by
	// alone: its issuer must be asked and call it active, or it is Unavailable.
	AskIssuer
)

// Verdict is what a list says of a token. The zero one is Unavailable.
type Verdict struct {
	outcome Outcome
	by      Kind
	unnamed bool
	cutoff  uint32
}

// Outcome is what is to be done.
func (v Verdict) Outcome() Outcome { return v.outcome }

// By is what the entry goes by that a revoked token was refused for; else zero. Where
// several match, it is the one with the latest cut-off.
func (v Verdict) By() Kind { return v.by }

// Unnamed says that a revoked token is not known to be the one that an entry is about:
// it names no client, or no subject, and entries by those stand for its issuer
// (Config.DangerouslyPassUnnamed).
func (v Verdict) Unnamed() bool { return v.unnamed }

// Cutoff is up to when tokens must have been issued to be refused with a revoked one;
// zero for whenever they are, until the entry is lifted.
func (v Verdict) Cutoff() time.Time {
	if v.outcome != Revoked || v.cutoff == Forever {
		return time.Time{}
	}
	return time.Unix(int64(v.cutoff), 0).UTC()
}

// String says what was found, for logs: no name of a client or a token.
func (v Verdict) String() string {
	switch v.outcome {
	case Passes:
		return "nothing is held against it"
	case AskIssuer:
		return "the list of revocations is not up to date, so its issuer is to be asked"
	case Revoked:
	default:
		return "the list of revocations is not up to date"
	}
	does := "stands until it is lifted"
	if !v.Cutoff().IsZero() {
		does = "refuses what was issued up to " + v.Cutoff().Format(time.RFC3339)
	}
	switch {
	case v.unnamed:
		return fmt.Sprintf("it names no %v, and an entry for one of its issuer's %s", v.by, does)
	case v.by == ByOpaqueToken:
		return "an entry for this " + v.by.String() + " " + does
	}
	return fmt.Sprintf("an entry for its %v %s", v.by, does)
}
