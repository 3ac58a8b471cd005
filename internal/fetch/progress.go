package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"sync/atomic"
)

// progress is how far a request came.
type progress struct {
	traced    atomic.Bool // by a transport that tells
	connected atomic.Bool
	written   atomic.Bool
}

func (p *progress) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { p.traced.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { p.connected.Store(true) },
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err == nil {
				p.written.Store(true)
			}
		},
	})
}

// unsent reports whether the request that failed with err cannot have reached the
// server. In doubt, it can: a write that broke off may have been answered by a
// reset for what it said.
func (p *progress) unsent(ctx context.Context, err error) bool {
	if p.traced.Load() {
		return !p.connected.Load() || !p.written.Load() && ctx.Err() != nil
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return true
	}
	_, address := errors.AsType[*net.DNSError](err)
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	return address || certificate
}

// notSent marks an error as ErrNotSent, without a word of its own.
type notSent struct{ error }

func (e notSent) Unwrap() error { return e.error }

func (e notSent) Is(target error) bool { return target == ErrNotSent }
