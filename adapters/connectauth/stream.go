package connectauth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/validator"
)

// stream runs the handler of a stream for as long as its token is good.
func (a *Auth) stream(out *writer, r *http.Request, next http.Handler, route *httpauth.Route, token *validator.Token, p protocol) {
	ending := route.Ending(r)
	live, stop := a.validator.Live(r.Context(), token)
	defer stop()
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	handed, body := r.WithContext(ctx), &streamBody{ReadCloser: r.Body}
	handed.Body = body
	running := start(func() { next.ServeHTTP(out, handed) })
	select {
	case <-running.done:
		running.result()
		a.finish(out, r, p)
		return
	case <-live.Done():
	}
	over, ok := errors.AsType[*validator.Error](context.Cause(live))
	var failure *httpauth.Failure
	if ok { // else the client has gone, which the handler sees
		failure = ending(over)
	}
	if failure == nil || !running.leave() {
		<-running.done
		running.result()
		a.finish(out, r, p)
		return
	}
	defer a.late.leave(running) // once the client has its answer
	body.over.Store(true)
	whole := out.close() // from here on, nothing of the handler's comes through
	cancel(over)
	if !whole {
		panic(http.ErrAbortHandler) // what has gone out is half a message
	}
	a.end(out.to, r, p, failure, out.begun)
}

// finish ends an answer whose handler has returned: as the handler left it, or, if that
// denied the call, in its place.
func (a *Auth) finish(out *writer, r *http.Request, p protocol) {
	if out.finish() {
		a.conclude(out.to, r, p, out.denied.Load(), out.begun)
	}
}

// writeWithin is how long a client may take to read the end of its stream, or the rest of
// a message under way: as long as a revocation may take to be seen.
const writeWithin = time.Second

// end answers in the handler's place. Whoever reads the body is woken by the server when
// that has gone out.
func (a *Auth) end(w http.ResponseWriter, r *http.Request, p protocol, f *httpauth.Failure, begun bool) {
	if !begun && r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close") // else net/http reads the body to its end before it answers
	}
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(writeWithin))
	defer func() { _ = control.SetWriteDeadline(time.Time{}) }() // of the connection, in HTTP/1.1
	a.conclude(w, r, p, f, begun)
	_ = control.Flush()
}

// conclude writes a refusal as a whole answer, or as the end of one that has begun.
func (a *Auth) conclude(w http.ResponseWriter, r *http.Request, p protocol, f *httpauth.Failure, begun bool) {
	if !begun {
		a.refuse(w, r, f)
		return
	}
	body, trailers := a.ending(r, p, failed(f))
	for name, values := range trailers {
		w.Header()[http.TrailerPrefix+name] = values
	}
	_, _ = w.Write(body) // the client may have gone
}

// run is a handler in a goroutine of its own. Only what returns from a middleware ends an
// answer, and a handler may wait for its client, who knows nothing of the token's end.
type run struct {
	done chan struct{}
	// settled is set by whoever comes first: the handler at its end, or leave.
	settled  atomic.Bool
	panicked any
	returned bool
}

func start(handler func()) *run {
	r := &run{done: make(chan struct{})}
	go func() {
		defer close(r.done)
		defer func() {
			r.panicked = recover()
			if !r.settled.CompareAndSwap(false, true) && r.panicked != nil && r.panicked != http.ErrAbortHandler {
				// What it says is the handler's, and may be anything.
				slog.Default().Error("m2mguard: a handler panicked after its stream had ended with its token", slog.String("stack", string(debug.Stack())))
			}
		}()
		handler()
		r.returned = true
	}()
	return r
}

// result panics if the handler did. One that ended its goroutine has half an answer.
func (r *run) result() {
	switch {
	case r.panicked != nil:
		panic(r.panicked)
	case !r.returned:
		panic(http.ErrAbortHandler)
	}
}

// leave has nobody wait for the handler, unless it has ended.
func (r *run) leave() bool { return r.settled.CompareAndSwap(false, true) }
