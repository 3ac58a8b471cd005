package issuertest

import (
	"crypto"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"
)

// What the token endpoint takes as a proof of now, and the longest jti, in bytes.
const (
	maxProofAge   = time.Minute
	maxProofAhead = 10 * time.Second
	maxProofID    = 128
)

// proofAlgorithms lists what a proof may be signed with.
func proofAlgorithms() []string { return slices.Sorted(maps.Keys(algorithms)) }

// SetNonce makes the token endpoint ask for a nonce in each DPoP proof, and hand it
// out (RFC 9449 §8): a proof without it, or with another one, is answered with
// use_dpop_nonce. "" asks for none, the default. It panics if a nonce cannot be one
// (§8.1: printable ASCII without space, quote and backslash).
func (iss *Issuer) SetNonce(nonce string) {
	for _, b := range []byte(nonce) {
		if b <= ' ' || b > '~' || b == '"' || b == '\\' {
			panic("issuertest: a nonce has characters that it may not have")
		}
	}
	iss.mu.Lock()
	defer iss.mu.Unlock()
	iss.nonce = nonce
}

// proofNonce is the nonce that proofs need; "" for none.
func (iss *Issuer) proofNonce() string {
	iss.mu.RLock()
	defer iss.mu.RUnlock()
	return iss.nonce
}

func invalidProof(description string) *oauthError {
	return &oauthError{status: http.StatusBadRequest, code: "invalid_dpop_proof", description: description}
}

// proven checks the DPoP proof of a token request (RFC 9449 §5) and returns the
// thumbprint of its key; "" if there is no proof. A proof counts once.
func (iss *Issuer) proven(r *http.Request) (string, *oauthError) {
	lines := r.Header.Values("DPoP")
	if len(lines) == 0 {
		return "", nil
	}
	if len(lines) > 1 {
		return "", invalidProof("more than one proof")
	}
	parts := strings.Split(lines[0], ".")
	var header, claims map[string]any
	if len(parts) != 3 || !decodeSegment(parts[0], &header) || !decodeSegment(parts[1], &claims) {
		return "", invalidProof("not a JWT")
	}
	alg, key, fault := proofKey(header)
	if fault != nil {
		return "", fault
	}
	if fault := iss.checkProofClaims(claims); fault != nil {
		return "", fault
	}
	if nonce := iss.proofNonce(); nonce != "" && claims["nonce"] != nonce {
		return "", &oauthError{status: http.StatusBadRequest, code: "use_dpop_nonce", description: "the proof needs the nonce"}
	}
	if !signedWith(alg, key, lines[0]) {
		return "", invalidProof("the signature is not by jwk")
	}
	jkt := Thumbprint(key)
	iss.mu.Lock()
	defer iss.mu.Unlock()
	use := jkt + " " + claims["jti"].(string) // of others with the same jti, none is used up
	if iss.proofs[use] {
		return "", invalidProof("the proof was used before")
	}
	iss.proofs[use] = true
	return jkt, nil
}

// proofKey checks the header of a proof and returns its algorithm and public key
// (RFC 9449 §4.3, checks 4, 5 and 7).
func proofKey(header map[string]any) (string, crypto.PublicKey, *oauthError) {
	if header["typ"] != "dpop+jwt" {
		return "", nil, invalidProof("typ is not dpop+jwt")
	}
	for _, name := range []string{"crit", "x5c", "x5u", "jku"} {
		if _, ok := header[name]; ok {
			return "", nil, invalidProof("the header has " + name)
		}
	}
	alg, _ := header["alg"].(string)
	fits, ok := algorithms[alg]
	if !ok {
		return "", nil, invalidProof("alg is not supported")
	}
	members, ok := header["jwk"].(map[string]any)
	if !ok {
		return "", nil, invalidProof("jwk is missing")
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth"} {
		if _, ok := members[name]; ok {
			return "", nil, invalidProof("jwk holds a private key")
		}
	}
	data, err := json.Marshal(members)
	if err != nil {
		return "", nil, invalidProof("jwk cannot be read")
	}
	parsed, err := jwk.ParseKey(data)
	if err != nil {
		return "", nil, invalidProof("jwk cannot be read")
	}
	public, err := parsed.PublicKey()
	if err != nil {
		return "", nil, invalidProof("jwk cannot be read")
	}
	var raw any
	if err := public.Raw(&raw); err != nil {
		return "", nil, invalidProof("jwk cannot be read")
	}
	if _, err := jwkMembers(raw); err != nil || keyKind(raw) != fits {
		return "", nil, invalidProof("jwk does not fit alg")
	}
	return alg, raw, nil
}

// checkProofClaims checks the claims of a proof (RFC 9449 §4.3, checks 3, 8, 9 and
// 11).
func (iss *Issuer) checkProofClaims(claims map[string]any) *oauthError {
	if id, ok := claims["jti"].(string); !ok || id == "" || len(id) > maxProofID {
		return invalidProof("jti is missing or too long")
	}
	if claims["htm"] != http.MethodPost {
		return invalidProof("htm is not POST")
	}
	if htu, ok := claims["htu"].(string); !ok || !sameTarget(htu, iss.TokenURL()) {
		return invalidProof("htu is not the token endpoint")
	}
	iat, ok := date(claims["iat"])
	if age := iss.clock().Sub(iat); !ok || age > maxProofAge || age < -maxProofAhead {
		return invalidProof("iat is not about now")
	}
	return nil
}

// sameTarget reports whether two URLs are the same, query and fragment aside.
func sameTarget(htu, target string) bool {
	got, err1 := url.Parse(htu)
	want, err2 := url.Parse(target)
	return err1 == nil && err2 == nil && got.User == nil &&
		got.Scheme == want.Scheme && strings.EqualFold(got.Host, want.Host) &&
		got.EscapedPath() == want.EscapedPath()
}
