package httpauth

import (
	"encoding/json"
	"net/http"
	"slices"
)

// Metadata is what the API says of itself beside what its configuration tells (RFC
// 9728 §2).
type Metadata struct {
	_ [0]func()

	// Scopes is scopes_supported. ScopesOfRoutes adds what the rules of [Middleware.Routes]
	// name, which tells everybody.
	Scopes         []string
	ScopesOfRoutes bool

	// Path is the path of the resource that the metadata is of, after PublicPathPrefix,
	// where this API is not all that its host serves, such as "/mcp": resource is the
	// public URL with it, and the metadata is found at a place of its own (RFC 9728
	// §3.1). Proofs of possession do not go by it. Default none.
	Path string

	// CertificateBound says that clients can use certificate-bound tokens (RFC 8705)
	// on connections to this API's own server, which asks for their certificates. With
	// Config.ClientCertificate it is said in any case.
	CertificateBound bool
}

// wellKnown is where a resource's metadata is, before its own path (RFC 9728 §3.1).
const wellKnown = "/.well-known/oauth-protected-resource"

// metadataOf is the address of the metadata for whoever sent a request to host; where that
// is none of several, that of the first.
func (p *publicURLs) metadataOf(host string) string {
	b := p.choose(host)
	if b == nil {
		b = &p.bases[0]
	}
	return b.text + wellKnown + p.resource
}

// document is the metadata of one resource.
type document struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers,omitempty"`
	Scopes               []string `json:"scopes_supported,omitempty"`
	Methods              []string `json:"bearer_methods_supported"`
	ProofAlgorithms      []string `json:"dpop_signing_alg_values_supported,omitempty"`
	ProofRequired        bool     `json:"dpop_bound_access_tokens_required,omitempty"`
	CertificateBound     bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
}

// MetadataPath is the path of the metadata, with PublicPathPrefix and Metadata.Path: a
// proxy must lead it here. It is for routers of other frameworks; see [Middleware.MountMetadata].
func (m *Middleware) MetadataPath() string { return wellKnown + m.urls.resource }

// MountMetadata has mux serve the metadata of this API (RFC 9728), one document for
// each Config.PublicURL: whoever gets a challenge finds there which authorization
// servers to ask. It is for everybody, so tell guardtest that MetadataPath is public. It
// panics without a PublicURL.
func (m *Middleware) MountMetadata(mux Mux) {
	mux.Handle("GET "+m.MetadataPath(), m.MetadataHandler())
}

// MetadataHandler serves what MountMetadata mounts.
func (m *Middleware) MetadataHandler() http.Handler {
	if len(m.urls.bases) == 0 {
		panic("httpauth: MountMetadata: Config.PublicURL is empty, wanted what clients call this API by")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*") // it is for everybody, and says nothing about who asks
		b := m.urls.choose(r.Host)
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		case b == nil:
			http.Error(w, "no such resource", http.StatusNotFound)
		default:
			h.Set("Content-Type", "application/json")
			h.Set("Cache-Control", "public, max-age=3600")
			_ = json.NewEncoder(w).Encode(m.document(b)) // the client may have gone
		}
	})
}

// provenOnly reports whether each token needs a proof of possession. One that is bound to
// a certificate is a bearer token by its scheme (RFC 8705 §3).
func (m *Middleware) provenOnly() bool {
	return m.proofs() && m.accepts.BoundOnly && m.clientCertificate == nil && !m.metadata.CertificateBound
}

func (m *Middleware) document(b *base) document {
	d := document{
		Resource:             b.text + m.urls.resource,
		AuthorizationServers: m.accepts.Issuers,
		Scopes:               slices.Clone(m.metadata.Scopes),
		Methods:              []string{"header"},
		ProofAlgorithms:      m.accepts.ProofAlgorithms,
		ProofRequired:        m.provenOnly(),
		CertificateBound:     m.clientCertificate != nil || m.metadata.CertificateBound,
	}
	if m.metadata.ScopesOfRoutes {
		for _, route := range m.Routes() {
			d.Scopes = append(d.Scopes, route.Rule.Names()...)
		}
	}
	slices.Sort(d.Scopes)
	d.Scopes = slices.Compact(d.Scopes)
	return d
}
