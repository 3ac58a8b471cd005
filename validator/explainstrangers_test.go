package validator_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// noting is a Resolver and a store of nonces that note what they are asked.
type noting struct{ asked *[]string }

func (n noting) ResolveIssuer(_ context.Context, url string) (validator.Issuer, error) {
	*n.asked = append(*n.asked, "issuer "+url)
	return validator.Issuer{}, validator.ErrUnknownIssuer
}

func (n noting) Nonce(context.Context) (string, error) { return "n", nil }

func (n noting) Judge(_ context.Context, nonce string) (dpop.Judgement, error) {
	*n.asked = append(*n.asked, "nonce "+nonce)
	return dpop.NonceGood, nil
}

// TestExplainAsksWhomVerifyAsks: with Network too, what is wrong already takes no
// stranger's words to the Resolver or to the store of nonces.
func TestExplainAsksWhomVerifyAsks(t *testing.T) {
	var asked []string
	iss := issuertest.NewInMemory(t)
	fresh := func() *validator.Validator { // that remembers no answer of another question
		asked = nil
		v, err := validator.New(validator.Config{
			DPoP: &dpop.Config{Nonces: noting{&asked}, Replays: dpop.NewMemory(1000)}, Resolver: noting{&asked},
			Issuers: []validator.Issuer{keysOf(iss)},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(v.Close)
		return v
	}
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	stranger := func(header string) string {
		return part(header) + "." + part(`{"iss":"https://stranger.example.com","aud":"api","exp":9999999999}`) + ".AAAA"
	}
	badProof := part(`{"typ":"dpop+jwt","alg":"none","jwk":{}}`) + "." + part(`{"jti":"a","htm":"DELETE","htu":"https://x/","iat":1,"ath":"x","nonce":"the-strangers"}`) + ".AAAA"
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	bound := iss.Token(issuertest.Claims{JWKThumbprint: issuertest.Thumbprint(key.Public())})
	forged := bound[:strings.LastIndex(bound, ".")+1] + part(strings.Repeat("a", 256))
	const url = "https://api.example.com/orders"
	proof := func(token string) string {
		return issuertest.Proof(key, issuertest.ProofClaims{Method: "GET", URL: url, Token: token, Nonce: "mine"})
	}
	for name, test := range map[string]struct{ token, proof, want string }{
		"crit":           {stranger(`{"alg":"RS256","typ":"at+jwt","crit":["x"]}`), "", ""},
		"an issuer":      {stranger(`{"alg":"RS256","typ":"at+jwt"}`), "", "issuer https://stranger.example.com"},
		"a bad proof":    {bound, badProof, ""},
		"a forged token": {forged, proof(forged), ""},
		"a good one":     {bound, proof(bound), "nonce mine"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &validator.Request{Scheme: "Bearer", Token: test.token, Method: "GET", URL: url}
			if test.proof != "" {
				r.Scheme, r.Proofs = "DPoP", []string{test.proof}
			}
			e := fresh().Explain(t.Context(), r, validator.ExplainOptions{Network: true})
			explained := fmt.Sprint(asked)
			_, _ = fresh().VerifyRequest(t.Context(), r, nil)
			if want := "[" + test.want + "]"; explained != want || fmt.Sprint(asked) != want {
				t.Errorf("Explain asked %s, VerifyRequest %s, wanted %s:\n%s", explained, asked, want, e)
			}
		})
	}
}
