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
	dialing   atomic.Bool
	connected atomic.Bool
	written   atomic.Bool
}

func (p *progress) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:           func(string) { p.traced.Store(true) },
		DNSStart:          func(httptrace.DNSStartInfo) { p.dialing.Store(true) },
		ConnectStart:      func(string, string) { p.dialing.Store(true) },
		TLSHandshakeStart: func() { p.dialing.Store(true) },
		GotConn:           func(httptrace.GotConnInfo) { p.connected.Store(true) },
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
	switch over := ctx.Err() != nil; {
	case !p.traced.Load():
	case p.connected.Load():
		return over && !p.written.Load()
	default: // or it waited for a connection that others have
		return !over || p.dialing.Load()
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
