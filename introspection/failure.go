package introspection

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/m2mguard/m2mguard/internal/fetch"
	"github.com/m2mguard/m2mguard/internal/strictjson"
	"github.com/m2mguard/m2mguard/internal/turns"
)

// kind is what a request that brought no usable answer says about the endpoint.
type kind int

const (
	// unreached: the request was not sent, which no token's text can cause. Our
	// own client authentication that failed is one of these.
	unreached kind = iota
	// slowDown: the server wants fewer requests (429 or 503 with Retry-After).
	slowDown
	// refusesToken: a status with which servers refuse a token; see control.go.
	refusesToken
	// odd: everything else. Nobody can tell whether it is about the token or the
	// endpoint.
	odd
	// ended: by us.
	ended
)

// failed is one request without a usable answer.
type failed struct {
	*UnavailableError
	kind     kind
	sentAt   time.Time
	pause    time.Duration // that the server asked for, if slowDown
	as       credential    // what we sent it as
	vault    credential    // what Config.Auth had, if that is another
	client   bool          // it may be a refusal of our credentials
	word     bool          // it may be the endpoint's word on the token
	inactive bool          // by Config.InactiveStatus, it means inactive
	round    uint64        // of the gate, when it was sent
	event    uint64        // of the controls, when it was here
	suspect  bool          // the last that was heard of a known token was a failure
}

// asError is f as an error, or nil.
func (f *failed) asError() error {
	if f == nil {
		return nil
	}
	return f.UnavailableError
}

// statusFailure says what an answer that is not 200 is. By itself none says
// anything about the token: real servers refuse credentials with 401 and JSON,
// with 401 and text or nothing, with 403 and HTML, and with 400, and others
// refuse tokens with the same.
func (c *Client) statusFailure(endpoint string, res fetch.Response) *failed {
	code := errorCode(res)
	f := &failed{kind: odd, client: refusesClient(res.Status, code)}
	hint := ""
	switch s := res.Status; {
	case f.client:
		hint = "the authorization server refused this resource server's own credentials: check Config.Auth"
	case s == http.StatusForbidden:
		hint = "this resource server may not introspect, or not this token: check Config.Auth and the client's rights"
	case s == http.StatusNotFound || s == http.StatusMethodNotAllowed || s == http.StatusGone:
		hint = "there is no introspection endpoint, or no such token: check Config.Endpoint (Hydra has it on its admin port alone)"
	case s == http.StatusTooManyRequests:
		hint = "the authorization server wants fewer requests"
	case s >= 300 && s < 400:
		hint = "redirects are not followed, because the request carries a token and credentials: check Config.Endpoint"
	case s >= 400 && s < 500:
		hint = "the authorization server would not judge this token, or not this resource server's request"
	default:
		hint = "the authorization server failed"
	}
	if slices.Contains(inactiveStatuses, res.Status) && !slices.Contains(c.cfg.InactiveStatus, res.Status) && code != "invalid_client" && code != "unauthorized_client" {
		hint += "; or Config.InactiveStatus, if this server answers so about tokens that are not active"
	}
	f.UnavailableError = unavailable(fmt.Errorf("POST %s: status %d: %s", fetch.WithoutQuery(endpoint), res.Status, hint), 0)
	f.Status = res.Status
	aboutClient := code == "invalid_client" || code == "unauthorized_client"
	switch res.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if f.pause = pause(res.Header.Get("Retry-After")); f.pause > 0 {
			f.kind = slowDown
		}
	case http.StatusBadRequest:
		if code == "invalid_token" || code == "unsupported_token_type" {
			f.kind = refusesToken
		}
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		if code == "" || code == "invalid_token" || code == "unsupported_token_type" {
			f.kind = refusesToken
		}
	}
	f.word = res.Status >= 400 && res.Status < 500 && res.Status != http.StatusTooManyRequests && !aboutClient
	if slices.Contains(c.cfg.InactiveStatus, res.Status) && !aboutClient {
		f.kind, f.inactive = refusesToken, true
	}
	return f
}

// errorCode is the error member of an answer in JSON (RFC 6749 §5.2), or "".
func errorCode(res fetch.Response) (code string) {
	err := strictjson.Members(res.Body, func(name string, value strictjson.Value) error {
		if name == "error" {
			code, _ = value.String()
			if code == "" {
				code = "unknown" // an object, say
			}
		}
		return nil
	})
	if err != nil {
		return ""
	}
	return code
}

// refusesClient reports whether an answer may refuse our credentials: a 401, or a
// 400 whose error says so (RFC 6749 §5.2; real servers do both).
func refusesClient(status int, code string) bool {
	if status != http.StatusBadRequest {
		return status == http.StatusUnauthorized
	}
	return code == "invalid_client" || code == "unauthorized_client"
}

// sendFailure says what a request is that was not answered.
func sendFailure(ctx context.Context, err error) *failed {
	f := &failed{UnavailableError: unavailable(err, 0), kind: odd, word: errors.Is(err, fetch.ErrTooLarge)}
	switch {
	case context.Cause(ctx) == errTaken:
		f.kind, f.UnavailableError = ended, throttled(errTaken)
	case ctx.Err() != nil:
		f.kind, f.UnavailableError = ended, unavailable(errClosed, 0)
	case errors.Is(err, fetch.ErrNotSent):
		f.kind = unreached
	}
	return f
}

// notAsked is for a call while the gate is shut.
func notAsked(s *shut) *UnavailableError {
	e := unavailable(fmt.Errorf("not asked: the endpoint failed before, next try in %v", s.wait), s.wait)
	e.endpoint = !s.doubt
	return e
}

// refusedTurn says why a call got no turn.
func refusedTurn(err error) *UnavailableError {
	switch {
	case errors.Is(err, turns.ErrShare):
		return throttled(fmt.Errorf("not asked: %w (Config.MaxConcurrent, Config.MaxPerSecond, Config.MaxWaiting)", err))
	case errors.Is(err, turns.ErrTooLong):
		return unavailable(fmt.Errorf("not asked: %w (Config.MaxConcurrent, Config.MaxPerSecond, Config.MaxWait)", err), 0)
	case errors.Is(err, turns.ErrClosed):
		return unavailable(errClosed, 0)
	}
	if u, ok := errors.AsType[*UnavailableError](err); ok { // the gate shut
		return u
	}
	return unavailable(err, 0)
}
