package connectauth

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/validator"
)

// streamBody is what a stream's handler reads. Messages that have come, and wait in the
// connection, are handed to nobody once the token's end is known.
type streamBody struct {
	io.ReadCloser
	over atomic.Bool
}

func (b *streamBody) Read(p []byte) (int, error) {
	if b.over.Load() {
		return 0, errOver
	}
	n, err := b.ReadCloser.Read(p)
	if b.over.Load() { // meanwhile
		return 0, errOver
	}
	return n, err
}

// slow is how long the message of a unary call may take to come without its token being
// asked about again: a tenth of what a revocation may take to be seen.
const slow = writeWithin / 10

// unary runs the handler of a unary call, whose message may take its time: it runs for a
// token that is still good when that is complete.
func (a *Auth) unary(w http.ResponseWriter, r *http.Request, c *call, next http.Handler, route *httpauth.Route, token *validator.Token) {
	if r.Body != nil && r.Body != http.NoBody {
		c.body = unaryBody{ReadCloser: r.Body, auth: a, token: token, request: r, route: route, began: time.Now()}
		r.Body = &c.body // of a copy, which WithContext has made
		defer func() {
			if c.body.stop != nil {
				c.body.stop()
			}
		}()
	}
	next.ServeHTTP(w, r)
}

// unaryBody fails once its token is over, with what connect-go answers then. Its version 2
// does not know the error, and says unknown.
type unaryBody struct {
	io.ReadCloser
	auth    *Auth
	token   *validator.Token
	request *http.Request
	route   *httpauth.Route
	began   time.Time
	live    context.Context // nil as long as nothing is slow
	stop    context.CancelFunc
}

func (b *unaryBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if time.Since(b.began) < slow {
		return n, err
	}
	if b.live == nil {
		b.live, b.stop = b.auth.validator.Live(b.request.Context(), b.token)
	}
	if over, ok := errors.AsType[*validator.Error](context.Cause(b.live)); ok {
		if failure := b.route.Ending(b.request)(over); failure != nil {
			return 0, failed(failure)
		}
	}
	return n, err
}
