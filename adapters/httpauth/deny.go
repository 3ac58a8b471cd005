package httpauth

import (
	"context"
	"errors"
	"net/http"

	"github.com/m2mguard/m2mguard/validator"
)

var (
	errPolicy      = validator.NewError(validator.CheckPolicy)
	errUnavailable = validator.NewError(validator.CheckUnavailable)
)

// Deny answers a request that a handler finds it must refuse, as RequireThat
// would have: 403 with access_denied and a constant sentence, or 503 if err
// matches validator.ErrUnavailable or a context has ended. What err says goes to
// the observer, never to the client. A nil err denies, too. The handler writes
// nothing before and after.
func (m *Middleware) Deny(w http.ResponseWriter, r *http.Request, err error) {
	m.Fail(w, r, m.Denial(r, PatternOf(r.Method, r.Pattern), err))
}

// Denial reports what Deny answers, for adapters of other frameworks. The pattern
// is the route's, as Admit takes it.
func (m *Middleware) Denial(r *http.Request, pattern string, err error) *Failure {
	shown, _ := m.request(r, pattern)
	return m.denied(r.Context(), shown, err)
}

func (m *Middleware) denied(ctx context.Context, shown *validator.Request, err error) *Failure {
	token, e := validator.FromContext(ctx), errPolicy
	if err != nil {
		e = own(ctx, errPolicy, err)
	}
	m.validator.ReportRefusal(ctx, shown, token, e)
	return complete(m.answer(e), e, token)
}

// Fail answers a request that was refused: by Config.ErrorHandler, or with the
// default rendering.
func (m *Middleware) Fail(w http.ResponseWriter, r *http.Request, f *Failure) {
	if m.errorHandler != nil {
		f.prepare(w.Header())
		m.errorHandler(w, r, f)
		return
	}
	f.Respond(w)
}

// own is the refusal for an error of a function of the API's own: no, unless the
// error, or the end of the request, says that it cannot tell.
func own(ctx context.Context, no *validator.Error, err error) *validator.Error {
	if e, ok := err.(*validator.Error); ok && e == nil {
		err = errors.New("the error is a nil *validator.Error, which is no nil error")
	}
	if ctx.Err() != nil || errors.Is(err, validator.ErrUnavailable) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return errUnavailable.Because(err)
	}
	return no.Because(err)
}
