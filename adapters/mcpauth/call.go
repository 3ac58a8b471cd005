package mcpauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// call is one request on its way through the server's handler.
type call struct {
	middleware *Middleware
	token      *validator.Token
	op         *operation

	mu      sync.Mutex
	request *http.Request     // with its credentials; nil once it has been answered
	begun   bool              // the answer has begun
	failure *httpauth.Failure // what a handler wants the answer to be
	refused bool              // and it is
}

// extraKey is where TokenInfo.Extra holds the call.
const extraKey = "m2mguard"

// serve hands the request to the server's handler, as the SDK's own middleware would
// have: its guard of sessions and its handlers go by the TokenInfo, which that alone can
// put into a context.
func (m *Middleware) serve(next http.Handler, w http.ResponseWriter, r *http.Request, asked judged) {
	c := &call{middleware: m, token: validator.FromContext(r.Context()), op: asked.op, request: r}
	defer c.end()
	info := c.info()
	verifier := func(context.Context, string, *http.Request) (*auth.TokenInfo, error) { return info, nil }
	inner := auth.RequireBearerToken(verifier, &auth.RequireBearerTokenOptions{AllowMissingExpiration: true, ClockSkew: never})
	// In a stateful session the handlers of all requests see the context of its first.
	plain := r.WithContext(validator.NewContext(r.Context(), nil))
	plain.Header = r.Header.Clone()
	plain.Header.Del("Dpop")
	plain.Header["Authorization"] = []string{"Bearer none"} // RequireBearerToken wants one
	if asked.name != "" {
		plain.Header[fieldName] = []string{asked.name} // the SDK does not decode it
	}
	if asked.body != nil {
		plain.Body, plain.ContentLength, plain.TransferEncoding = io.NopCloser(bytes.NewReader(asked.body)), int64(len(asked.body)), nil
	}
	a := &answer{w, c}
	inner(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Authorization")
		next.ServeHTTP(w, r)
	})).ServeHTTP(a, plain)
	if c.wants() {
		c.begin(w)
	}
}

// never is when the SDK takes a token to be expired that was good when it was checked:
// that is for the validator to say, by its own clock.
const never = 100 * 365 * 24 * time.Hour

// info is what the SDK and its handlers are told of the token.
func (c *call) info() *auth.TokenInfo {
	return &auth.TokenInfo{
		Scopes:     slices.Collect(c.token.Scopes().All()),
		Expiration: c.token.Expiry(),
		UserID:     userID(c.token),
		Extra:      map[string]any{extraKey: c},
	}
}

// userID is whose session it is: of a client of an issuer, and of the user that it acts
// for, if there is one.
func userID(t *validator.Token) string {
	return url.QueryEscape(t.Issuer()) + " " + url.QueryEscape(t.ClientID()) + " " + url.QueryEscape(t.Subject())
}

// Token returns the token that a request was let in with, or nil if its handler is not
// behind Protect. In a stateful session each request has its own.
func Token(r mcp.Request) *validator.Token {
	if c := callOf(r); c != nil {
		return c.token
	}
	return nil
}

func callOf(r mcp.Request) *call {
	if r == nil || r.GetExtra() == nil || r.GetExtra().TokenInfo == nil {
		return nil
	}
	c, _ := r.GetExtra().TokenInfo.Extra[extraKey].(*call)
	return c
}

// StepUp is for a handler that finds out while it runs which scopes it needs: nil if the
// token's are enough, else an error for the handler to return. The request is then
// answered with 403 insufficient_scope, and a challenge that names all that the
// operation needs, rule included, with which a client asks for more and comes back. That
// can be so while nothing of the answer has been sent: no progress, no log message and
// no request of the server's own. Afterwards the error is all that the client gets; it
// holds constants and names of scopes alone. In a batch, one handler answers for all.
func StepUp(r mcp.Request, rule scopes.Rule) error {
	c := callOf(r)
	if c == nil {
		return errOutside
	}
	err := c.token.Check(rule)
	if err == nil {
		return nil
	}
	return c.fail(func(request *http.Request) *httpauth.Failure {
		all := c.middleware.operation(c.op.name, c.op.rule, rule)
		_, failure := all.route.Admit(make(http.Header), request, all.name)
		return failure
	}, fmt.Sprintf("insufficient_scope: this needs the scopes %q", rule.Needs()))
}

// Deny is for a handler whose own policy says no, whatever the scopes: it returns an
// error for the handler to return, and the request is answered with 403 access_denied,
// or 503 if err matches validator.ErrUnavailable or a context has ended. What err says
// goes to the observer, never to the client. A nil err denies, too. What StepUp says of
// answers that have begun holds here as well.
func Deny(r mcp.Request, err error) error {
	c := callOf(r)
	if c == nil {
		return errOutside
	}
	return c.fail(func(request *http.Request) *httpauth.Failure {
		return c.middleware.http.Denial(request, c.op.name, err)
	}, "access_denied: the API's policy says no")
}

var errOutside = errors.New("mcpauth: this handler is not behind Protect, which knows whose request it is")

// fail has the request answered with a failure, if that can still be, and is what the
// handler returns.
func (c *call) fail(make func(*http.Request) *httpauth.Failure, says string) error {
	c.mu.Lock()
	request := c.request
	c.mu.Unlock()
	if request != nil {
		if failure := make(request); failure != nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.failure == nil {
				c.failure = failure
			}
		}
	}
	return errors.New(says)
}

// end forgets the credentials: the context of a session outlives its first request.
func (c *call) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.request, c.begun = nil, true
}

// wants reports whether a handler wants an answer that has not begun.
func (c *call) wants() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure != nil && !c.begun
}

// begin begins the answer, and reports whether it is the server's own. Else it is
// written.
func (c *call) begin(w http.ResponseWriter) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.begun {
		c.begun = true
		if c.failure != nil {
			c.refused = true
			c.middleware.http.Fail(w, c.request, c.failure)
		}
	}
	return !c.refused
}

// answer is the answer of the server's handler, which may write from several goroutines.
type answer struct {
	http.ResponseWriter
	call *call
}

var _ http.ResponseWriter = (*answer)(nil)

func (a *answer) WriteHeader(status int) {
	if status < 200 || a.call.begin(a.ResponseWriter) {
		a.ResponseWriter.WriteHeader(status)
	}
}

func (a *answer) Write(p []byte) (int, error) {
	if !a.call.begin(a.ResponseWriter) {
		return len(p), nil
	}
	return a.ResponseWriter.Write(p)
}

// FlushError flushes, for http.ResponseController.
func (a *answer) FlushError() error {
	a.call.begin(a.ResponseWriter)
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Unwrap is for the other methods of http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
