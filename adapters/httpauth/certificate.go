package httpauth

import (
	"context"
	"net/http"

	"github.com/m2mguard/m2mguard/validator"
)

// certificate is what Config.ClientCertificate found, for gates behind this one: what
// it goes by, such as a secret field, may be gone when they ask.
type certificate struct {
	der []byte
	err error
}

// certificateKey is by middleware: another one may trust others.
type certificateKey struct{ of *Middleware }

// certificate returns the client's certificate, or why it could not be read.
func (m *Middleware) certificate(r *http.Request) (der []byte, err error) {
	if m.clientCertificate == nil {
		if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
			return nil, nil
		}
		return r.TLS.PeerCertificates[0].Raw, nil
	}
	if known, ok := r.Context().Value(certificateKey{m}).(*certificate); ok {
		return known.der, known.err
	}
	return m.clientCertificate(r)
}

// withCertificate returns a context in which m finds what it found for shown.
func (m *Middleware) withCertificate(ctx context.Context, shown *validator.Request) context.Context {
	if m.clientCertificate == nil || ctx.Value(certificateKey{m}) != nil {
		return ctx
	}
	return context.WithValue(ctx, certificateKey{m}, &certificate{shown.Certificate, shown.CertificateErr})
}
