package grpcauth

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/m2mguard/m2mguard/validator"
)

var (
	_ grpc.UnaryServerInterceptor  = (*Auth)(nil).UnaryServerInterceptor
	_ grpc.StreamServerInterceptor = (*Auth)(nil).StreamServerInterceptor
)

// UnaryServerInterceptor is for grpc.ChainUnaryInterceptor, where others stand before or
// behind it. StreamServerInterceptor goes with it.
func (a *Auth) UnaryServerInterceptor(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	route, _ := a.method(info.FullMethod)
	if route == nil {
		return handler(ctx, req)
	}
	ctx, shown, authorization := a.shown(ctx, info.FullMethod)
	admitted, accepted, failure := route.Decide(ctx, shown, authorization)
	if failure != nil {
		return nil, answer(call{ctx}, failure)
	}
	if accepted.Nonce != "" {
		_ = call{ctx}.SetHeader(metadata.Pairs("dpop-nonce", accepted.Nonce)) // which fails without a server
	}
	return handler(admitted, req)
}

// StreamServerInterceptor is for grpc.ChainStreamInterceptor, as UnaryServerInterceptor
// is for unary methods. It ends a stream with its token.
func (a *Auth) StreamServerInterceptor(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	route, listed := a.method(info.FullMethod)
	if route == nil {
		return handler(srv, ss)
	}
	ctx, shown, authorization := a.shown(ss.Context(), info.FullMethod)
	if srv == nil && !listed {
		shown.Route = "" // of names that a client made up there is no end
	}
	admitted, accepted, failure := route.Decide(ctx, shown, authorization)
	if failure != nil {
		return answer(ss, failure)
	}
	if accepted.Nonce != "" {
		_ = ss.SetHeader(metadata.Pairs("dpop-nonce", accepted.Nonce)) // which fails if an interceptor before has sent the header
	}
	if accepted.Token == nil {
		return handler(srv, &stream{ServerStream: ss, ctx: admitted})
	}
	live, stop := a.validator.Live(admitted, accepted.Token)
	defer stop()
	admitted, cancel := context.WithCancelCause(admitted)
	defer cancel(nil)
	handed := &stream{ServerStream: ss, ctx: admitted}
	running := start(info.FullMethod, func() error { return handler(srv, handed) })
	select {
	case <-running.done:
		return running.result()
	case <-live.Done():
	}
	over, ok := errors.AsType[*validator.Error](context.Cause(live))
	if !ok { // the client has gone, which the handler sees
		return running.result()
	}
	failure = route.Answer(shown, over)
	if failure == nil || !running.leave() {
		return running.result()
	}
	handed.over.Store(over)
	cancel(over)
	a.late.leave(running)
	return answer(ss, failure)
}

// stream is one with the token in its context. Messages that have come, and wait in the
// transport, are handed to nobody once the token's end is known.
type stream struct {
	grpc.ServerStream
	ctx  context.Context
	over atomic.Pointer[validator.Error]
}

func (s *stream) Context() context.Context { return s.ctx }

func (s *stream) RecvMsg(m any) error {
	if over := s.over.Load(); over != nil {
		return over
	}
	err := s.ServerStream.RecvMsg(m)
	if over := s.over.Load(); over != nil { // meanwhile
		return over
	}
	return err
}

func (s *stream) SendMsg(m any) error {
	if over := s.over.Load(); over != nil {
		return over
	}
	return s.ServerStream.SendMsg(m)
}

// run is a handler in a goroutine of its own. Only what returns from an interceptor ends a
// stream, and a handler may wait in one of the transport's calls, which know nothing of the
// token; those fail as soon as the stream has ended.
type run struct {
	done chan struct{}
	// settled is set by whoever comes first: the handler at its end, or leave.
	settled  atomic.Bool
	err      error
	panicked any
	returned bool
}

func start(method string, handler func() error) *run {
	r := &run{done: make(chan struct{})}
	go func() {
		defer close(r.done)
		defer func() {
			r.panicked = recover()
			if !r.settled.CompareAndSwap(false, true) && r.panicked != nil {
				// What it says is the handler's, and may be anything.
				slog.Default().Error("m2mguard: a handler panicked after its stream had ended with its token",
					slog.String("method", method), slog.String("stack", string(debug.Stack())))
			}
		}()
		r.err = handler()
		r.returned = true
	}()
	return r
}

// result waits for the handler and returns what it returned, or panics as it did, for
// interceptors before this one that recover.
func (r *run) result() error {
	<-r.done
	switch {
	case r.panicked != nil:
		panic(r.panicked)
	case !r.returned:
		runtime.Goexit() // as the handler did
	}
	return r.err
}

// leave has nobody wait for the handler, unless it has ended.
func (r *run) leave() bool { return r.settled.CompareAndSwap(false, true) }

// mostLate bounds the handlers of an Auth that run on though their stream has ended: no
// limit of grpc-go's counts them. It is more than a mass revocation needs, because what
// heeds its context or its stream is gone in a moment and makes room for the next.
const mostLate = 256

// late are those handlers.
type late chan struct{}

// leave returns when there is room for one more, or its handler has ended.
func (l late) leave(r *run) {
	select {
	case <-r.done:
		return
	default:
	}
	select {
	case <-r.done:
	case l <- struct{}{}:
		go func() {
			<-r.done
			<-l
		}()
	}
}
