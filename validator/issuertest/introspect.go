package issuertest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// serveIntrospection is the introspection endpoint (RFC 7662). It knows opaque
// tokens and the JWTs that its published keys signed.
func (iss *Issuer) serveIntrospection(w http.ResponseWriter, r *http.Request) {
	if _, fault := iss.authenticate(r); fault != nil {
		writeError(w, fault)
		return
	}
	token := r.PostForm.Get("token")
	if token == "" {
		writeError(w, invalidRequest("token is missing"))
		return
	}
	claims, known := iss.lookUp(token)
	if !known || !iss.active(token, claims) {
		writeJSON(w, http.StatusOK, map[string]any{"active": false})
		return
	}
	claims["active"] = true
	if _, said := claims["token_type"]; !said {
		claims["token_type"] = tokenType(claims)
	}
	writeJSON(w, http.StatusOK, claims)
}

// tokenType is how a token is shown (RFC 7662 §2.2): one that is bound to a key, by
// the scheme DPoP (RFC 9449 §6.2).
func tokenType(claims map[string]any) string {
	if cnf, ok := claims["cnf"].(map[string]any); ok && cnf["jkt"] != nil {
		return "DPoP"
	}
	return "Bearer"
}

// serveRevocation is the revocation endpoint. A token that is not known is
// revoked already (RFC 7009 §2.2); one of another client is none of the
// caller's business (§2.1).
func (iss *Issuer) serveRevocation(w http.ResponseWriter, r *http.Request) {
	client, fault := iss.authenticate(r)
	if fault != nil {
		writeError(w, fault)
		return
	}
	token := r.PostForm.Get("token")
	if token == "" {
		writeError(w, invalidRequest("token is missing"))
		return
	}
	if claims, known := iss.lookUp(token); known {
		if claims["client_id"] != client.ID {
			writeError(w, &oauthError{status: http.StatusBadRequest, code: "unauthorized_client"})
			return
		}
		iss.Revoke(token)
	}
	w.WriteHeader(http.StatusOK)
}

// Revoke makes a token inactive for introspection, at once. A JWT stays good
// for whoever looks at its signature alone.
func (iss *Issuer) Revoke(token string) {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	iss.revoked[token] = true
}

// lookUp finds what a token of this issuer stands for.
func (iss *Issuer) lookUp(token string) (map[string]any, bool) {
	iss.mu.RLock()
	opaque, known := iss.opaque[token]
	keys := iss.keys
	iss.mu.RUnlock()
	var claims map[string]any
	if known {
		ok := decode(opaque, &claims)
		return claims, ok
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	var header struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
	}
	if !decodeSegment(parts[0], &header) {
		return nil, false
	}
	key, known := keys.find(header.KeyID, header.Algorithm)
	if !known || !key.verify(token) {
		return nil, false
	}
	ok := decodeSegment(parts[1], &claims)
	return claims, ok
}

// active reports whether a token of this issuer is neither revoked, expired nor
// yet to come (RFC 7662 §4).
func (iss *Issuer) active(token string, claims map[string]any) bool {
	iss.mu.RLock()
	revoked := iss.revoked[token]
	iss.mu.RUnlock()
	now := iss.clock()
	if exp, ok := date(claims["exp"]); ok && !now.Before(exp) {
		return false
	}
	if nbf, ok := date(claims["nbf"]); ok && now.Before(nbf) {
		return false
	}
	return !revoked
}

// date reads a NumericDate (RFC 7519 §2), down to the second.
func date(value any) (time.Time, bool) {
	number, ok := value.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	seconds, err := number.Float64()
	return time.Unix(int64(seconds), 0), err == nil
}

// decodeSegment parses one part of a compact serialization.
func decodeSegment(part string, dst any) bool {
	data, err := base64.RawURLEncoding.Strict().DecodeString(part)
	return err == nil && decode(data, dst)
}

// decode parses a JSON object. Numbers keep every digit, so that they are
// answered as they were issued.
func decode(data []byte, dst any) bool {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if decoder.Decode(dst) != nil {
		return false
	}
	_, err := decoder.Token()
	return err == io.EOF
}
