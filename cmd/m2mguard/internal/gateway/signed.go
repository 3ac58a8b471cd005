package gateway

import (
	"crypto"
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
	if s.Issuer == "" || s.Audience == "" {
		faults = append(faults, errors.New("identity.jwt: issuer or audience is empty, wanted a name of this gateway and one of the API behind"))
	}
	if s.Lifetime == 0 {
		s.Lifetime = DefaultIdentityLifetime
	}
	if s.Lifetime < time.Second || s.Lifetime > maxIdentityLifetime {
		faults = append(faults, fmt.Errorf("identity.jwt.lifetime is %v, wanted 1s to %v", s.Lifetime, maxIdentityLifetime))
	}
	i := &signed{Signed: s, now: now}
	key, err := jwk.FromRaw(s.Key)
	if err == nil {
		switch key.KeyType() {
		case jwa.EC:
			i.algorithm = jwa.ES256
		case jwa.OKP:
			i.algorithm = jwa.EdDSA
		default:
			err = errors.New("is of another kind")
		}
	}
	if err == nil {
		err = i.publish(key)
	}
	if err != nil {
		return nil, errors.Join(append(faults, errors.New("identity.jwt.keyFile: the key cannot sign, wanted a private key of P-256 or Ed25519 in PEM"))...)
	}
	if i.made, err = otter.New(&otter.Options[*validator.Token, *made]{MaximumSize: remembered}); err != nil {
		faults = append(faults, err)
	}
	return i, errors.Join(faults...)
}

// publish names the key by its thumbprint (RFC 7638) and writes the key set.
func (i *signed) publish(key jwk.Key) error {
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
	_, err = jws.Sign([]byte("a trial"), jws.WithKey(i.algorithm, key))
	return err
}

func (*signed) fields() []string { return []string{fieldIdentity} }

func (i *signed) write(h http.Header, token *validator.Token) error {
	if token == nil {
		h[fieldIdentity] = nothing
		return nil
	}
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
