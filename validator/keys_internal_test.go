package validator

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestForgedTokenCostsFourTrials at most, whatever the set holds, and also where a
// newer one comes in their midst.
func TestForgedTokenCostsFourTrials(t *testing.T) {
	for name, h := range map[string]jwks.Hint{
		"no kid":      {Algorithm: "EdDSA"},
		"unknown kid": {Algorithm: "EdDSA", KeyID: "z", HasKeyID: true},
		"unknown x5t": {Algorithm: "EdDSA", X5T: "z"},
	} {
		for first := 1; first <= 6; first++ {
			t.Run(fmt.Sprintf("%s, %d keys", name, first), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					iss := issuertest.NewInMemory(t)
					publish := func(from, to int) {
						text := ""
						for n := from; n < to; n++ {
							text += fmt.Sprintf(`,{"kty":"OKP","crv":"Ed25519","x":"%s%03dA"}`, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", n)
						}
						iss.SetJWKS([]byte(`{"keys":[`+text[1:]+`]}`), nil)
					}
					publish(0, first)
					set, err := jwks.New(jwks.Config{URL: iss.JWKSURL(), HTTPClient: iss.Client()})
					if err != nil {
						t.Fatal(err)
					}
					defer set.Close()
					keys, err := set.Candidates(t.Context(), h)
					if err != nil {
						t.Fatal(err)
					}
					publish(100, 110)
					trials := make(map[string]int)
					_, inVain, err := signer(t.Context(), set, h, keys, func(key *jwks.Key) (bool, error) {
						trials[key.Thumbprint()]++
						return false, nil
					})
					if !errors.Is(err, jwks.ErrKeyNotFound) || inVain > 4 || len(trials) != inVain || inVain < min(first, 4) {
						t.Errorf("%d trials of %d keys, %v", inVain, len(trials), err)
					}
				})
			})
		}
	}
}

// TestTrialsEndWithTheFirstError: a key for which there is no turn is not passed over.
func TestTrialsEndWithTheFirstError(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	set, err := jwks.New(jwks.Config{URL: iss.JWKSURL(), HTTPClient: iss.Client()})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	iss.Rotate()
	h := jwks.Hint{Algorithm: "EdDSA"}
	keys, err := set.Candidates(t.Context(), h)
	if err != nil || len(keys) != 2 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	trials := 0
	_, inVain, err := signer(context.Background(), set, h, keys, func(*jwks.Key) (bool, error) { trials++; return false, errBusy })
	if err != errBusy || trials != 1 || inVain != 0 {
		t.Errorf("%d trials, %v", trials, err)
	}
}

// TestWhatVerifiedIsTold to the key set, and nothing else.
func TestWhatVerifiedIsTold(t *testing.T) {
	for name, verified := range map[string]bool{"verified": true, "did not": false} {
		t.Run(name, func(t *testing.T) {
			fetches := 0
			set, err := jwks.New(jwks.Config{Fetch: func(context.Context) ([]byte, error) {
				fetches++
				return []byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`), nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer set.Close()
			h := jwks.Hint{Algorithm: "EdDSA", KeyID: "z", HasKeyID: true}
			keys, err := set.Candidates(t.Context(), h)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err = signer(t.Context(), set, h, keys, func(*jwks.Key) (bool, error) { return verified, nil }); (err == nil) != verified {
				t.Fatal(err)
			}
			before := fetches
			if _, err := set.Candidates(t.Context(), h); err != nil || (fetches == before) != verified {
				t.Errorf("%d fetches more, %v", fetches-before, err)
			}
		})
	}
}
