package issuertest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// serveToken is the token endpoint, for client credentials alone (RFC 6749 §4.4).
func (iss *Issuer) serveToken(w http.ResponseWriter, r *http.Request) {
	if nonce := iss.proofNonce(); nonce != "" {
		w.Header().Set("DPoP-Nonce", nonce) // on success, too (RFC 9449 §8.2)
	}
	answer, fault := iss.grant(r)
	if fault != nil {
		writeError(w, fault)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// grant answers a token request (RFC 6749 §5.1). There is no refresh token
// (§4.4.3).
func (iss *Issuer) grant(r *http.Request) (map[string]any, *oauthError) {
	for name, values := range r.PostForm {
		// RFC 6749 §3.2 allows each parameter once; RFC 8707 §2 lifts that for
		// resource, and audience follows it.
		if len(values) > 1 && name != "resource" && name != "audience" {
			return nil, invalidRequest("repeated parameter")
		}
	}
	client, fault := iss.authenticate(r)
	if fault != nil {
		return nil, fault
	}
	switch r.PostForm.Get("grant_type") {
	case "client_credentials":
	case "":
		return nil, invalidRequest("grant_type is missing")
	default:
		return nil, &oauthError{status: http.StatusBadRequest, code: "unsupported_grant_type"}
	}
	scope, fault := client.grantScope(r.PostForm.Get("scope"))
	if fault != nil {
		return nil, fault
	}
	audience, fault := client.grantAudience(r.PostForm)
	if fault != nil {
		return nil, fault
	}

	jkt, x5t, fault := iss.binding(client, r)
	if fault != nil {
		return nil, fault
	}

	lifetime := cmp.Or(client.AccessTokenTTL, time.Hour)
	claims := Claims{
		ClientID:              client.ID,
		Audience:              audience,
		Scope:                 scope,
		ExpiresIn:             lifetime,
		Algorithm:             client.Algorithm,
		JWKThumbprint:         jkt,
		CertificateThumbprint: x5t,
	}
	token := ""
	if client.Opaque {
		token = iss.Opaque(claims)
	} else {
		token = iss.Token(claims)
	}
	answer := map[string]any{
		"access_token": token,
		"token_type":   "Bearer", // of a certificate-bound one, too (RFC 8705 §3)
		"expires_in":   int64(lifetime / time.Second),
	}
	if jkt != "" {
		answer["token_type"] = "DPoP"
	}
	if scope != "" {
		answer["scope"] = scope
	}
	return answer, nil
}

// binding decides what the token of a request is bound to: the key of its DPoP
// proof (RFC 9449 §5), the certificate of its connection, both or neither. A client
// that asked for bound tokens gets no others.
func (iss *Issuer) binding(client ClientRegistration, r *http.Request) (jkt, x5t string, fault *oauthError) {
	if client.CertificateBound {
		if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
			return "", "", invalidRequest("the client's tokens are bound to a certificate, and the connection has none")
		}
		x5t = CertificateThumbprint(r.TLS.PeerCertificates[0])
	}
	jkt, fault = iss.proven(r)
	if fault == nil && jkt == "" && client.DPoPBound {
		fault = invalidRequest("the client's tokens are bound by DPoP, and the request has no proof")
	}
	return jkt, x5t, fault
}

// grantScope decides which scopes a request gets (RFC 6749 §3.3).
func (c ClientRegistration) grantScope(requested string) (string, *oauthError) {
	if requested == "" {
		return strings.Join(c.Scopes, " "), nil
	}
	if c.Scopes != nil {
		for _, scope := range strings.Split(requested, " ") {
			if !slices.Contains(c.Scopes, scope) {
				return "", &oauthError{status: http.StatusBadRequest, code: "invalid_scope"}
			}
		}
	}
	return requested, nil
}

// grantAudience decides for whom the token is: what the request names by
// audience or resource, or else the client's own.
func (c ClientRegistration) grantAudience(form url.Values) ([]string, *oauthError) {
	for _, resource := range form["resource"] {
		// An absolute URI without a fragment (RFC 8707 §2).
		u, err := url.Parse(resource)
		if err != nil || !u.IsAbs() || strings.Contains(resource, "#") {
			return nil, &oauthError{status: http.StatusBadRequest, code: "invalid_target"}
		}
	}
	if named := slices.Concat(form["audience"], form["resource"]); len(named) > 0 {
		return named, nil
	}
	return c.Audience, nil
}

// oauthError is an error answer (RFC 6749 §5.2).
type oauthError struct {
	status      int
	code        string
	description string
	challenge   bool // answer with WWW-Authenticate
}

func invalidRequest(description string) *oauthError {
	return &oauthError{status: http.StatusBadRequest, code: "invalid_request", description: description}
}

// invalidClient is the answer to failed client authentication. A challenge is
// owed to who used the Authorization header.
func invalidClient(challenge bool) *oauthError {
	return &oauthError{status: http.StatusUnauthorized, code: "invalid_client", challenge: challenge}
}

func writeError(w http.ResponseWriter, e *oauthError) {
	if e.challenge {
		w.Header().Set("WWW-Authenticate", `Basic realm="issuertest"`)
	}
	body := map[string]any{"error": e.code}
	if e.description != "" {
		body["error_description"] = e.description
	}
	writeJSON(w, e.status, body)
}

func writeJSON(w http.ResponseWriter, status int, body map[string]any) {
	data, err := json.Marshal(body)
	if err != nil {
		panic("issuertest: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(data) // the client may have gone
}
