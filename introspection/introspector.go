package introspection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/m2mguard/m2mguard/internal/fetch"
	"github.com/m2mguard/m2mguard/internal/strictjson"
	"github.com/m2mguard/m2mguard/internal/typednil"
)

// Introspector asks about tokens in an issuer's own way: Google's tokeninfo, GitHub,
// Kubernetes' TokenReview, a library, a database. A [Client] remembers what it
// answers, bounds how often it is called, and judges its failures, as it does with an
// endpoint of RFC 7662. Implementations are safe for concurrent use.
type Introspector interface {
	// IntrospectToken says whether a token is active, and what it says. A token that is
	// unknown, revoked or expired is inactive, which is no error.
	//
	// ctx ends after Config.RequestTimeout; a call that does not return by then is left
	// behind, and no other is made while many hang. A panic is an error.
	//
	// An error says nothing about the token by itself: another that is active must be
	// answered afterwards, before a failure counts as the token's own. Wrap one in
	// [AboutEndpoint] where no token's text can have caused it: no connection, our own
	// credentials refused, too many requests. One of [AboutToken] is the issuer's word
	// on the token, in a form that cannot be read. The text reaches logs and must hold
	// neither token nor secret; one that holds the token is not shown.
	IntrospectToken(ctx context.Context, token string) (Answer, error)
}

// Answer is what an [Introspector] says of a token.
type Answer struct {
	_ [0]func()

	// Active says that the token is good now.
	Active bool
	// Claims are the members of an answer as RFC 7662 §2.2 names them (iss, sub, aud,
	// client_id, scope, exp and the like), which the caller of the Client checks: times
	// as numbers of seconds since 1970, such as an int64 or a [json.Number], and as no
	// string or [time.Time]; scopes in one string with spaces or as a list. They are
	// written as JSON and bounded by Config.MaxResponseBytes. Those of an inactive token
	// are not read.
	Claims map[string]any
}

// AboutEndpoint makes err, of an [Introspector], one that no token's text can have
// caused. It counts against the endpoint: after several in a row nobody is asked about
// for a while. A positive retryAfter is how long the endpoint wants to be left alone
// (429 or 503 with Retry-After, RFC 9110 §10.2.3), and is obeyed as that is.
func AboutEndpoint(err error, retryAfter time.Duration) error {
	if err == nil {
		err = errors.New("the endpoint failed")
	}
	return aboutEndpoint{err, retryAfter}
}

type aboutEndpoint struct {
	error
	retryAfter time.Duration
}

func (e aboutEndpoint) Unwrap() error { return e.error }

// ownFaults reports what is set beside an Introspector and would not be looked at.
func (c Config) ownFaults() (faults []error) {
	if typednil.Is(c.Introspector) {
		return []error{fmt.Errorf("introspection: Config.Introspector is a nil %T, wanted one that was made, or none", c.Introspector)}
	}
	for _, other := range []struct {
		field string
		set   bool
	}{
		{"Endpoint", c.Endpoint != ""}, {"Auth", c.Auth != nil}, {"Answers", c.Answers != nil}, {"InactiveStatus", len(c.InactiveStatus) > 0},
		{"HTTPClient", c.HTTPClient != nil}, {"DangerouslyAllowHTTP", c.DangerouslyAllowHTTP},
	} {
		if other.set {
			faults = append(faults, fmt.Errorf("introspection: Config.%s is set beside Config.Introspector, which asks in its own way: wanted one of the two", other.field))
		}
	}
	return faults
}

// exchangeOwn is exchange by Config.Introspector.
func (c *Client) exchangeOwn(ctx, bounded context.Context, token string) (heard, *failed) {
	asked := sent{event: c.controls.happens(), at: time.Now()}
	body, err := c.callIntrospector(bounded, token)
	if err == nil {
		r, fault := decode(body, c.cfg.NoExpiry)
		if fault == nil {
			r.askedAt = asked.at
			c.setLifetime(r)
			return heard{r, evidence{at: asked.event}}, nil
		}
		err = ownFailure(fmt.Errorf("the answer %w", fault), token)
	}
	f := sendFailure(ctx, fmt.Errorf("Config.Introspector: %w", err))
	f.sentAt, f.word = asked.at, f.word || err.word
	switch {
	case f.kind == ended || !err.endpoint:
	case err.retryAfter > 0:
		f.kind, f.pause = slowDown, min(err.retryAfter, longestPause)
	default:
		f.kind = unreached
	}
	return heard{}, f
}

// errHangs is for an Introspector whose calls do not return.
var errHangs = errors.New("hangs: it does not return within Config.RequestTimeout")

// callIntrospector returns the answer as JSON (RFC 7662 §2.2). A call that hangs is
// left behind when ctx ends. All that is the user's runs where a panic is caught.
func (c *Client) callIntrospector(ctx context.Context, token string) ([]byte, *ownError) {
	if c.stuck.Load() > int64(4*c.cfg.MaxConcurrent) {
		return nil, ownFailure(AboutEndpoint(errHangs, 0), token)
	}
	type outcome struct {
		body []byte
		err  *ownError
	}
	done := make(chan outcome, 1)
	c.stuck.Add(1)
	go func() {
		var o outcome
		defer func() {
			if value := recover(); value != nil {
				o = outcome{err: ownFailure(panicked(value), token)}
			}
			c.stuck.Add(-1)
			done <- o
		}()
		a, err := c.cfg.Introspector.IntrospectToken(ctx, token)
		if err == nil {
			o.body, err = a.encode(c.cfg.MaxResponseBytes)
		}
		if err != nil {
			o.err = ownFailure(err, token)
		}
	}()
	select {
	case o := <-done:
		return o.body, o.err
	case <-ctx.Done():
		select {
		case o := <-done:
			return o.body, o.err
		default:
			return nil, ownFailure(fmt.Errorf("%w: %w", errHangs, ctx.Err()), token)
		}
	}
}

// ownError is an error of an Introspector: its text as it was, and what it says.
type ownError struct {
	text       string
	cause      error // nil if its text is not to be shown
	word       bool  // it may be the issuer's word on the token
	endpoint   bool  // no token's text can have caused it
	retryAfter time.Duration
}

// Error implements error.
func (e *ownError) Error() string { return e.text }

// Unwrap returns what the Introspector returned.
func (e *ownError) Unwrap() error { return e.cause }

// ownFailure reads an error once. A text that holds the token, as one of net/http
// does that quotes a URL, is not shown.
func ownFailure(err error, token string) *ownError {
	e := &ownError{text: err.Error(), cause: err}
	_, e.word = errors.AsType[unreadable](err)
	about, endpoint := errors.AsType[aboutEndpoint](err)
	e.endpoint, e.retryAfter = endpoint, about.retryAfter
	if holds(e.text, token) {
		e.text, e.cause = "an error whose text held the token, and is not shown", nil
		if inner, ok := errors.AsType[*url.Error](err); ok {
			if text := inner.Err.Error(); !holds(text, token) {
				e.text, e.cause = text, inner.Err
			}
		}
	}
	return e
}

// holds reports whether a text holds the token, as it is or escaped as in a URL.
func holds(text, token string) bool {
	return strings.Contains(text, token) || strings.Contains(text, url.QueryEscape(token)) || strings.Contains(text, url.PathEscape(token))
}

// panicked is the error of a panic. Only what the runtime says of it is shown: any
// other value may hold the token.
func panicked(value any) error {
	if e, ok := value.(runtime.Error); ok {
		return fmt.Errorf("panicked: %w", e)
	}
	return fmt.Errorf("panicked with a %T", value)
}

// encode writes a as an endpoint would.
func (a Answer) encode(most int64) ([]byte, error) {
	if !a.Active {
		return inactiveClaims, nil
	}
	members := map[string]any{"active": true}
	for name, value := range a.Claims {
		if name == "active" && value != true {
			return nil, errors.New("its Answer is active, and a claim active in it says otherwise")
		}
		members[name] = value
	}
	body, err := jsonv2.Marshal(members, jsonv2.Deterministic(true), jsonv2.WithMarshalers(numbers))
	switch {
	case err != nil: // whose text may quote a claim
		return nil, errors.New("a claim of its Answer cannot be written as JSON")
	case int64(len(body)) > most:
		return nil, fmt.Errorf("its Answer: %w of %d bytes (Config.MaxResponseBytes)", fetch.ErrTooLarge, most)
	}
	if err := quotedTime(body); err != nil {
		return nil, err
	}
	return body, nil
}

// numbers writes a [json.Number] as the number that it is. What decoded another
// server's answer made it; by itself it would be written as a string.
var numbers = jsonv2.MarshalToFunc(func(e *jsontext.Encoder, n json.Number) error {
	text := jsontext.Value(n)
	if !text.IsValid() || text.Kind() != '0' {
		return errors.New("a json.Number that is no number")
	}
	return e.WriteValue(text)
})

// quotedTime reports a time that was written as a string, as a [time.Time] is and as
// some servers do: the Introspector has to convert it.
func quotedTime(body []byte) error {
	names := []string{"exp", "iat", "nbf"}
	values := make([]strictjson.Value, len(names))
	strictjson.Value(body).Pick(names, values)
	for i, value := range values {
		if len(value) > 0 && value[0] == '"' {
			return unreadable{fmt.Errorf("Answer.Claims[%q] is a string, wanted a number of seconds, such as an int64", names[i])}
		}
	}
	return nil
}
