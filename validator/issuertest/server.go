package issuertest

import (
	"context"
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
)

const (
	oidcPath          = "/.well-known/openid-configuration"
	metadataPath      = "/.well-known/oauth-authorization-server"
	jwksPath          = "/jwks"
	tokenPath         = "/token"
	introspectionPath = "/introspect"
	revocationPath    = "/revoke"
)

// maxForm bounds what a request may send, in bytes.
const maxForm = 1 << 20

// Endpoint is one of the things that an issuer can be asked for.
type Endpoint int

// The endpoints of an issuer. Discovery counts both well-known paths.
const (
	Discovery Endpoint = iota
	JWKS
	TokenEndpoint
	Introspection
	Revocation

	endpoints // how many there are
)

// String names the endpoint.
func (e Endpoint) String() string {
	return [...]string{"discovery", "jwks", "token", "introspection", "revocation"}[e]
}

// Requests returns how many requests an endpoint has received, failed ones
// included. An HTTP client may repeat a GET by itself if a connection that it
// kept open turns out to be closed, as with [Down]; both are counted.
func (iss *Issuer) Requests(e Endpoint) int { return int(iss.requests[e].Load()) }

// SetFault makes an endpoint answer as the fault says; nil makes it healthy.
func (iss *Issuer) SetFault(e Endpoint, f Fault) {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	iss.faults[e] = f
}

// ClearFaults makes every endpoint healthy.
func (iss *Issuer) ClearFaults() {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	iss.faults = [endpoints]Fault{}
}

// SetJWKS publishes exactly this body instead of the key set. Header fields in
// header win over Content-Type, Cache-Control and ETag as they would be; it may
// be nil. A nil body restores the key set.
func (iss *Issuer) SetJWKS(body []byte, header http.Header) {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	iss.keySet = nil
	if body != nil {
		iss.keySet = &publication{body: slices.Clone(body), header: header.Clone()}
	}
}

// publication is what a test publishes instead of the key set.
type publication struct {
	body   []byte
	header http.Header
}

func (iss *Issuer) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET "+oidcPath, iss.endpoint(Discovery, iss.serveMetadata))
	mux.Handle("GET "+metadataPath, iss.endpoint(Discovery, iss.serveMetadata))
	mux.Handle("GET "+jwksPath, iss.endpoint(JWKS, iss.serveKeySet))
	mux.Handle("POST "+tokenPath, iss.endpoint(TokenEndpoint, iss.serveToken))
	mux.Handle("POST "+introspectionPath, iss.endpoint(Introspection, iss.serveIntrospection))
	mux.Handle("POST "+revocationPath, iss.endpoint(Revocation, iss.serveRevocation))
	return mux
}

// endpoint counts a request and puts the endpoint's fault before the handler.
func (iss *Issuer) endpoint(e Endpoint, handler http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		iss.requests[e].Add(1)

		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(iss.ctx, cancel)()
		r = r.WithContext(ctx)

		// The form is read first: only then does net/http notice that a client
		// has gone, which a slow answer waits for.
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			writeError(w, invalidRequest("the form cannot be read"))
			return
		}

		iss.mu.RLock()
		fault := iss.faults[e]
		iss.mu.RUnlock()
		if fault == nil {
			handler(w, r)
			return
		}
		fault(w, r, handler)
	})
}

// serveMetadata answers with the issuer's metadata (RFC 8414 §2).
func (iss *Issuer) serveMetadata(w http.ResponseWriter, _ *http.Request) {
	methods := []string{"client_secret_basic", "client_secret_post"}
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                iss.URL(),
		"jwks_uri":                              iss.JWKSURL(),
		"token_endpoint":                        iss.TokenURL(),
		"introspection_endpoint":                iss.IntrospectionURL(),
		"revocation_endpoint":                   iss.RevocationURL(),
		"grant_types_supported":                 []string{"client_credentials"},
		"response_types_supported":              []string{},
		"token_endpoint_auth_methods_supported": methods,
		"introspection_endpoint_auth_methods_supported": methods,
		"revocation_endpoint_auth_methods_supported":    methods,
		"dpop_signing_alg_values_supported":             proofAlgorithms(), // RFC 9449 §5.1
		"tls_client_certificate_bound_access_tokens":    iss.tls,           // RFC 8705 §3.3
	})
}

// serveKeySet answers with the key set, or with 304 to who has it already.
func (iss *Issuer) serveKeySet(w http.ResponseWriter, r *http.Request) {
	iss.mu.RLock()
	keys, instead := iss.keys, iss.keySet
	iss.mu.RUnlock()

	h := w.Header()
	h.Set("Content-Type", "application/jwk-set+json")
	h.Set("Cache-Control", "max-age=300")
	if instead == nil {
		instead = &publication{body: keys.keySet()}
	}
	h.Set("ETag", etag(instead.body))
	copyHeader(h, instead.header)
	if tag := h.Get("ETag"); tag != "" && strings.Contains(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(instead.body) // the client may have gone
}

// etag derives an entity tag from a body (RFC 9110 §8.8.3).
func etag(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + segment(sum[:12]) + `"`
}

// copyHeader sets header fields, in place of those that are there already.
func copyHeader(dst, src http.Header) {
	for name, values := range src {
		dst[http.CanonicalHeaderKey(name)] = values
	}
}
