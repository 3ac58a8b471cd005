package conformance

import (
	"net/http"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// Want is a verdict and its reason, in the terms of HTTP, from which each protocol has
// its own.
type Want struct {
	Status    int
	Error     string          // code, as invalid_token, the error of an HTTP answer's body
	Check     validator.Check // that the observer is told; "" for who is let in
	Sentence  string          // error_description
	Challenge string          // WWW-Authenticate, whole, in one line; "" for none
	Nonce     string          // DPoP-Nonce
	Said      string          // by the handler; "" where it must not run
}

// Retry reports whether the answer says when to try again.
func (w Want) Retry() bool { return w.Status == 429 || w.Status == 503 }

// Code is the code of gRPC and Connect for a verdict (DESIGN.md's table).
func (w Want) Code() uint32 {
	switch w.Status {
	case http.StatusOK:
		return 0
	case http.StatusBadRequest:
		return 3 // invalid argument
	case http.StatusUnauthorized:
		return 16 // unauthenticated
	case http.StatusForbidden:
		return 7 // permission denied
	case http.StatusTooManyRequests:
		return 8 // resource exhausted
	case http.StatusServiceUnavailable:
		return 14 // unavailable
	}
	return 2 // unknown: no verdict of the list
}

// The sentences that more than one case has.
const (
	requestSentence = "The request must carry exactly one well-formed bearer token, in the Authorization header."
	scopeSentence   = "The access token lacks a scope that this request needs."
	missingSentence = "No access token was sent."
)

// challenge is a Bearer challenge where neither proofs are checked nor metadata served.
func challenge(code, sentence, needs string) string {
	text := `Bearer realm="api"`
	if code != "" {
		text += `, error="` + code + `", error_description="` + sentence + `"`
	}
	if needs != "" {
		text += `, scope="` + needs + `"`
	}
	return text
}

// The verdicts that more than one case has.
var (
	unauthorized = Want{Status: 401, Error: "unauthorized", Check: validator.CheckMissing, Sentence: missingSentence, Challenge: challenge("", "", "")}
	badRequest   = Want{Status: 400, Error: "invalid_request", Check: validator.CheckRequest, Sentence: requestSentence, Challenge: challenge("invalid_request", requestSentence, "")}
	tooLarge     = invalidToken(validator.CheckSize, "The access token is too large.")
	boundWanted  = invalidToken(validator.CheckBinding, "This request needs an access token that is bound to its sender.")
	revoked      = invalidToken(validator.CheckRevoked, "The access token was revoked.")
	denied       = Want{Status: 403, Error: "access_denied", Check: validator.CheckPolicy, Sentence: "This API does not let the client of the access token do this."}
	tooMany      = Want{Status: 429, Error: "too_many_requests", Check: validator.CheckShare, Sentence: "Too many access tokens of this caller wait to be checked."}
	unavailable  = Want{Status: 503, Error: "temporarily_unavailable", Check: validator.CheckUnavailable, Sentence: "The access token cannot be checked right now."}
	nobody       = Want{Status: 200, Said: "nobody"}
)

func invalidToken(check validator.Check, sentence string) Want {
	return Want{Status: 401, Error: "invalid_token", Check: check, Sentence: sentence, Challenge: challenge("invalid_token", sentence, "")}
}

// insufficientScope is the verdict of a route that needs these scopes.
func insufficientScope(needs string) Want {
	return Want{Status: 403, Error: "insufficient_scope", Check: validator.CheckScope, Sentence: scopeSentence, Challenge: challenge("insufficient_scope", scopeSentence, needs)}
}

func letIn(scopes string) Want { return letInAs(issuertest.ClientID, scopes) }

func letInAs(client, scopes string) Want { return Want{Status: 200, Said: client + " may " + scopes} }

func (w Want) with(nonce string) Want {
	w.Nonce = nonce
	return w
}
