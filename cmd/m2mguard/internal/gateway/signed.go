package gateway

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/maypok86/otter/v2"

	"github.com/m2mguard/m2mguard/validator"
)

// Signed is an identity as one JWT of this gateway's own, which the API behind verifies
// with a published key. Whoever reaches the API past the proxy cannot make one.
type Signed struct {
	Issuer   string        // its iss; not empty
	Audience string        // its aud: the API behind; not empty
	Lifetime time.Duration // at most; a token's own end comes sooner
	Key      crypto.Signer // P-256 or Ed25519
}

// fieldIdentity is where the JWT stands.
const fieldIdentity = "X-Auth-Identity"

// The lifetime of an identity.
const (
	DefaultIdentityLifetime = time.Minute
	maxIdentityLifetime     = 10 * time.Minute
	leastIdentityLifetime   = 5 * time.Second // what is under way to the API behind
)

// remembered is how many identities are kept, so that a token seen before costs no
// signature.
const remembered = 10_000

// signed makes them.
type signed struct {
	Signed
	algorithm jwa.SignatureAlgorithm
	key       jwk.Key // with its kid
	set       []byte  // the published key set
	made      *otter.Cache[*validator.Token, *made]
	now       func() time.Time
}

// made is an identity that was made, and until when it is handed out.
type made struct {
	value []string
	until time.Time
}

func newSigned(s Signed, now func() time.Time) (*signed, error) {
	var faults []error
	if s.Issuer == "" {
		faults = append(faults, errors.New("serve.identity.jwt.issuer is empty, wanted a name of this gateway"))
	}
	if s.Audience == "" {
		faults = append(faults, errors.New("serve.identity.jwt.audience is empty, and so is api.publicURL: one of them names the API behind"))
	}
	if s.Lifetime == 0 {
		s.Lifetime = DefaultIdentityLifetime
	}
	if s.Lifetime < time.Second || s.Lifetime > maxIdentityLifetime {
		faults = append(faults, fmt.Errorf("serve.identity.jwt.lifetime is %v, wanted 1s to %v", s.Lifetime, maxIdentityLifetime))
	}
	i := &signed{Signed: s, now: now, algorithm: algorithmOf(s.Key)}
	if i.algorithm == "" || i.publish() != nil {
		return nil, errors.Join(append(faults, errors.New("serve.identity.jwt.keyFile: the key is of another kind, or cannot sign, wanted a private key of P-256 or Ed25519 in PEM"))...)
	}
	var err error
	i.made, err = otter.New(&otter.Options[*validator.Token, *made]{MaximumSize: remembered})
	return i, errors.Join(append(faults, err)...)
}

// algorithmOf is what a key signs with, or nothing for another kind of key: of elliptic
// curves, ES256 is of P-256 alone (RFC 7518 §3.4).
func algorithmOf(key crypto.Signer) jwa.SignatureAlgorithm {
	if key == nil {
		return ""
	}
	switch public := key.Public().(type) {
	case *ecdsa.PublicKey:
		if public.Curve == elliptic.P256() {
			return jwa.ES256
		}
	case ed25519.PublicKey:
		return jwa.EdDSA
	}
	return ""
}

// publish names the key by its thumbprint (RFC 7638), writes the key set, and tries
// whether what the key signs verifies.
func (i *signed) publish() error {
	key, err := jwk.FromRaw(i.Key)
	if err != nil {
		return err
	}
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return err
	}
	id := fmt.Sprintf("%x", thumbprint[:8])
	for name, value := range map[string]any{jwk.KeyIDKey: id, jwk.AlgorithmKey: i.algorithm, jwk.KeyUsageKey: "sig"} {
		if err := key.Set(name, value); err != nil {
			return err
		}
	}
	public, err := jwk.PublicKeyOf(key)
	if err != nil {
		return err
	}
	if i.set, err = json.Marshal(map[string]any{"keys": []jwk.Key{public}}); err != nil {
		return err
	}
	i.key = key
	trial, err := jws.Sign([]byte("a trial"), jws.WithKey(i.algorithm, key))
	if err != nil {
		return err
	}
	_, err = jws.Verify(trial, jws.WithKey(i.algorithm, public))
	return err
}

func (i *signed) write(h http.Header, token *validator.Token) error {
	now := i.now()
	if m, known := i.made.GetIfPresent(token); known && now.Before(m.until) {
		h[fieldIdentity] = m.value
		return nil
	}
	m, err := i.make(token, now)
	if err != nil {
		return err
	}
	i.made.Set(token, m)
	h[fieldIdentity] = m.value
	return nil
}

// make signs what a token says. It is handed out for the first half of its life, so that
// the API behind never gets one that is about to end.
func (i *signed) make(token *validator.Token, now time.Time) (*made, error) {
	end := now.Add(i.Lifetime)
	if expiry := token.Expiry(); !expiry.IsZero() && expiry.Before(end) {
		end = expiry
	}
	if least := now.Add(leastIdentityLifetime); end.Before(least) { // a token may pass a little after its own end
		end = least
	}
	claims := map[string]any{
		"iss": i.Issuer, "aud": i.Audience, "iat": now.Unix(), "exp": end.Unix(),
		"sub": token.Subject(), "client_id": token.ClientID(), "scope": token.Scopes().String(), "token_issuer": token.Issuer(),
	}
	if roles := token.Roles(); len(roles) > 0 {
		claims["roles"] = roles
	}
	if tenant := token.Tenant(); tenant != "" {
		claims["tenant"] = tenant
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return nil, err
	}
	header := jws.NewHeaders()
	if err := header.Set(jws.TypeKey, "JWT"); err != nil {
		return nil, err
	}
	text, err := jws.Sign(payload, jws.WithKey(i.algorithm, i.key, jws.WithProtectedHeaders(header)))
	if err != nil {
		return nil, err
	}
	return &made{value: []string{string(text)}, until: now.Add(end.Sub(now) / 2)}, nil
}
