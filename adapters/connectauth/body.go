package connectauth

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

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

// unary runs the handler of a unary call, whose message may take its time: it runs for a
// token that is still good when that is complete.
func (a *Auth) unary(w http.ResponseWriter, r *http.Request, next http.Handler, route *httpauth.Route, token *validator.Token) {
	if r.Body != nil && r.Body != http.NoBody {
		live, stop := a.validator.Live(r.Context(), token)
		defer stop()
		scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		r.Body = &unaryBody{r.Body, live, route, scheme} // of a copy, as Admit and WithContext make one
	}
	next.ServeHTTP(w, r)
}

// unaryBody fails once its token is over, with what connect-go answers then. Its version 2
// does not know the error, and says unknown.
type unaryBody struct {
	io.ReadCloser
	live   context.Context
	route  *httpauth.Route
	scheme string
}

func (b *unaryBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if over, ok := errors.AsType[*validator.Error](context.Cause(b.live)); ok {
		if failure := b.route.Answer(&validator.Request{Scheme: b.scheme}, over); failure != nil {
			return 0, failed(failure)
		}
	}
	return n, err
}
