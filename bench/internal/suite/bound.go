package suite

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/m2mguard/m2mguard/bench/internal/contender"
	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/bench/internal/measure"
	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// Names of what is measured of bound tokens.
const (
	Proven       = "DPoP, token seen before"
	Certified    = "certificate-bound, seen before"
	BearerBeside = "bearer, seen before, with DPoP configured"
)

// Bound is what bound tokens cost under one algorithm of proofs.
type Bound struct {
	Algorithm string
	// Dear are proofs of up to 4 KiB that fail before their signature.
	Dear []string
	Pair // with Seen, Bare, Proven, Certified, BearerBeside and Dear
}

const publicURL = "https://api.example.com/orders"

func (s *suite) bound() error {
	for _, algorithm := range []string{"ES256", "EdDSA"} {
		if err := s.boundWith(algorithm); err != nil {
			return err
		}
	}
	return nil
}

// proofKeys are what proofs are signed with.
var proofKeys = map[string]string{"ES256": "p256-a", "EdDSA": "ed25519-a"}

// boundTo is the measured token, bound.
func boundTo(f *fixture.Fixture, to func(*issuertest.Claims)) string {
	c := f.Claims()
	to(&c)
	return f.Token(c)
}

func (s *suite) boundWith(algorithm string) error {
	defer s.tidy()
	f, err := s.fixture(algorithm)
	if err != nil {
		return err
	}
	plain, err := contender.NewValidator(f, nil)
	if err != nil {
		return err
	}
	s.later(plain.Close)
	v, err := contender.NewValidator(f, func(cfg *validator.Config) {
		cfg.DPoP = &dpop.Config{MaxAge: 10 * time.Minute, Replays: &renamed{to: dpop.NewMemory(0)}}
	})
	if err != nil {
		return err
	}
	s.later(v.Close)
	key := testdata.PrivateKey(proofKeys[algorithm])
	der := []byte(strings.Repeat("0", 900)) // about as long as a certificate
	sum := sha256.Sum256(der)
	thumbprint := base64.RawURLEncoding.EncodeToString(sum[:])
	var (
		bearer    = &validator.Request{Scheme: "Bearer", Token: f.Good()}
		certified = &validator.Request{Scheme: "Bearer", Certificate: der, Token: boundTo(f, func(c *issuertest.Claims) { c.CertificateThumbprint = thumbprint })}
		token     = boundTo(f, func(c *issuertest.Claims) { c.JWKThumbprint = issuertest.Thumbprint(key.Public()) })
		other     = boundTo(f, func(c *issuertest.Claims) { c.JWKThumbprint = thumbprint })
		proven    = proof(key, token, "", "")
		dear      = map[string]*validator.Request{
			"letters":                      proof(key, other, strings.Repeat("a", 560), strings.Repeat("a", 180)),
			"escapes":                      proof(key, other, "", strings.Repeat("\n", 120)+strings.Repeat("a", 420)),
			"4 KiB":                        proof(key, other, "", strings.Repeat("a", 2800)),
			"a thief's, of another path":   elsewhere(key, token),
			"a thief's, of another method": anotherMethod(key, token),
		}
	)
	b := Bound{Algorithm: algorithm}
	group := []measure.Subject{
		{Name: Bare, Worker: alone(contender.Bare, f, f.Good())},
		{Name: Seen, Worker: passes(plain, bearer)},
		{Name: BearerBeside, Worker: passes(v, bearer)},
		{Name: Certified, Worker: passes(v, certified)},
		{Name: Proven, Worker: passes(v, proven)},
	}
	for _, name := range slices.Sorted(maps.Keys(dear)) {
		b.Dear = append(b.Dear, name)
		group = append(group, measure.Subject{Name: name, Worker: fails(v, dear[name])})
	}
	if b.Pair, err = s.pair("bound tokens, "+algorithm, group); err != nil {
		return err
	}
	s.results.Bound = append(s.results.Bound, b)
	return nil
}

// proof is a request with a proof for it, filled up in header and claims.
func proof(key crypto.Signer, token, header, claims string) *validator.Request {
	c := issuertest.ProofClaims{Method: "GET", URL: publicURL, Token: token}
	if header != "" {
		c.Header = map[string]any{"x": header}
	}
	if claims != "" {
		c.Extra = map[string]any{"x": claims}
	}
	return &validator.Request{Scheme: "DPoP", Token: token, Method: "GET", URL: publicURL, Proofs: []string{issuertest.Proof(key, c)}}
}

// elsewhere and anotherMethod are proofs of whoever has a token and has seen a proof for
// it, and so knows its key: they fail late.
func elsewhere(key crypto.Signer, token string) *validator.Request {
	r := proof(key, token, "", "")
	r.Proofs = []string{issuertest.Proof(key, issuertest.ProofClaims{Method: "GET", URL: publicURL + "/" + strings.Repeat("a", 400), Token: token})}
	return r
}

func anotherMethod(key crypto.Signer, token string) *validator.Request {
	r := proof(key, token, "", "")
	r.Proofs = []string{issuertest.Proof(key, issuertest.ProofClaims{Method: "POST", URL: publicURL, Token: token})}
	return r
}

// renamed has one proof be another one each time, so that it need not be signed anew:
// what it costs to remember is what it costs.
type renamed struct {
	to *dpop.Memory
	n  atomic.Uint64
}

func (r *renamed) Remember(ctx context.Context, p dpop.Seen, keep time.Duration) (bool, error) {
	n := r.n.Add(1)
	binary.BigEndian.PutUint64(p.ID[:], n*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(p.Holder[:], n%50)
	return r.to.Remember(ctx, p, min(keep, time.Second))
}

func passes(v *validator.Validator, r *validator.Request) func() func(int) error {
	return measure.Each(func() error {
		_, err := v.VerifyRequest(context.Background(), r, nil)
		return err
	})
}

func fails(v *validator.Validator, r *validator.Request) func() func(int) error {
	return measure.Each(func() error {
		if _, err := v.VerifyRequest(context.Background(), r, nil); err == nil || errors.Is(err, validator.ErrUnavailable) {
			return errors.New("a bad proof was not refused")
		}
		return nil
	})
}
