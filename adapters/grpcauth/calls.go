package grpcauth

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/m2mguard/m2mguard/adapters/httpauth/forwarded"
	"github.com/m2mguard/m2mguard/validator"
)

// shown is what a call shows beside its credentials, those as they were sent, and a
// context without what Config.ClientCertificate took off.
func (a *Auth) shown(ctx context.Context, name string) (context.Context, *validator.Request, []string) {
	r := &validator.Request{Method: http.MethodPost, URL: name, Route: name, Source: a.source(ctx)}
	if a.certificate == nil {
		r.Certificate = leaf(ctx)
	} else if ctx, r.Certificate, r.CertificateErr = a.forwarded(ctx, name); r.CertificateErr != nil {
		r.Certificate = nil
	}
	if a.proofs {
		r.Proofs = metadata.ValueFromIncomingContext(ctx, "dpop")
	}
	return ctx, r, metadata.ValueFromIncomingContext(ctx, "authorization")
}

// host is that of the connection's other end.
func host(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return ""
	}
	if tcp, ok := p.Addr.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().String()
	}
	text := p.Addr.String()
	if name, _, err := net.SplitHostPort(text); err == nil {
		return name
	}
	return text
}

// leaf is the client's own certificate of the connection's handshake, or nil.
func leaf(ctx context.Context) []byte {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	if info, ok := p.AuthInfo.(credentials.TLSInfo); ok && len(info.State.PeerCertificates) > 0 {
		return info.State.PeerCertificates[0].Raw
	}
	return nil
}

// forwarded asks Config.ClientCertificate, with a request of the metadata: the parts of
// it that HTTP fields are, without binary values and what begins with a colon.
func (a *Auth) forwarded(ctx context.Context, name string) (context.Context, []byte, error) {
	r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: name}, RequestURI: name, Header: make(http.Header), ProtoMajor: 2}
	md, _ := metadata.FromIncomingContext(ctx) // a copy
	for key, values := range md {
		if !strings.HasPrefix(key, ":") && !strings.HasSuffix(key, "-bin") {
			field := http.CanonicalHeaderKey(key)
			r.Header[field] = append(r.Header[field], values...)
		}
	}
	seen := ctx
	if p, ok := peer.FromContext(ctx); ok {
		switch p.Addr.(type) {
		case *net.TCPAddr, *net.UnixAddr: // else http.Server.ConnContext knows, if anybody
			seen = forwarded.PeerContext(ctx, p.Addr)
		}
	}
	der, err := a.certificate(r.WithContext(seen))
	removed := false
	for key := range md {
		if strings.HasPrefix(key, ":") || strings.HasSuffix(key, "-bin") {
			continue
		}
		if _, kept := r.Header[http.CanonicalHeaderKey(key)]; !kept {
			delete(md, key)
			removed = true
		}
	}
	if removed {
		ctx = metadata.NewIncomingContext(ctx, md)
	}
	return ctx, der, err
}
