package issuertest

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// The client that every issuer knows from the start, and the audience of tokens
// that name no other. The client may ask for any scope.
const (
	ClientID     = "m2m-client"
	ClientSecret = "m2m-client-secret"
	Audience     = "https://api.example.test"
)

// ClientRegistration is a client of the issuer: it may ask for tokens, for
// introspection and for the revocation of its own tokens.
type ClientRegistration struct {
	_ [0]func()

	ID     string
	Secret string

	// Scopes is what the client may ask for, and what it gets if it asks for
	// nothing in particular. Nil allows every scope and grants none unasked.
	Scopes []string

	// Audience is for whom its tokens are, unless a request says otherwise by
	// audience or resource (RFC 8707). Nil means [Audience].
	Audience []string

	// Opaque makes the tokens opaque instead of JWTs.
	Opaque bool

	// Algorithm signs the JWTs; "" means RS256.
	Algorithm string

	// DPoPBound refuses requests without a DPoP proof: dpop_bound_access_tokens
	// (RFC 9449 §5.2). A request with a proof gets a bound token in any case.
	DPoPBound bool

	// CertificateBound binds the tokens to the certificate of the connection, and
	// refuses requests without one: tls_client_certificate_bound_access_tokens
	// (RFC 8705 §3.4). The issuer must be one of [NewTLS] or [StartTLS]; its client
	// shows a certificate if it comes from [Issuer.ClientWith]. The secret stays how
	// the client authenticates.
	CertificateBound bool

	// AccessTokenTTL is the lifetime of the tokens; 0 means one hour.
	AccessTokenTTL time.Duration
}

// Register adds a client, or replaces the one that has its ID. It panics if c
// has no ID, no secret, or an algorithm that the issuer does not know.
func (iss *Issuer) Register(c ClientRegistration) {
	if c.ID == "" || c.Secret == "" {
		panic("issuertest: a client needs an ID and a secret")
	}
	iss.signingKey(c.Algorithm) // panics if there is none
	c.Scopes = slices.Clone(c.Scopes)
	c.Audience = slices.Clone(c.Audience)
	iss.mu.Lock()
	defer iss.mu.Unlock()
	iss.clients[c.ID] = c
}

// authenticate finds the client that sent a request, by client_secret_basic or
// client_secret_post (RFC 6749 §2.3.1).
func (iss *Issuer) authenticate(r *http.Request) (ClientRegistration, *oauthError) {
	id, secret, basic := r.BasicAuth()
	switch {
	case basic:
		if r.PostForm.Has("client_secret") {
			return ClientRegistration{}, invalidRequest("more than one client authentication method")
		}
		// Both halves are form-urlencoded before they are joined.
		var err1, err2 error
		id, err1 = url.QueryUnescape(id)
		secret, err2 = url.QueryUnescape(secret)
		if err1 != nil || err2 != nil {
			return ClientRegistration{}, invalidClient(true)
		}
	default:
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	iss.mu.RLock()
	c, known := iss.clients[id]
	iss.mu.RUnlock()
	if !known || subtle.ConstantTimeCompare([]byte(c.Secret), []byte(secret)) != 1 {
		return ClientRegistration{}, invalidClient(r.Header.Get("Authorization") != "")
	}
	return c, nil
}
