package validator_test

import (
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestAlgorithmsOfSignedAnswers: Issuer.Algorithms bounds them as it bounds
// tokens, also where the key set holds good keys for others.
func TestAlgorithmsOfSignedAnswers(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	reach := signedAnswers(iss)
	reach.Algorithms = []string{"ES256", "EdDSA"}
	reach.Keys = &jwks.Config{HTTPClient: iss.Client(), Algorithms: []string{"RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"}}
	for alg, want := range map[string]string{
		"ES256": "ok", "EdDSA": "ok", "Ed25519": "ok",
		"RS256": "unavailable", "PS256": "unavailable", "ES384": "unavailable", "ES512": "unavailable",
	} {
		t.Run(alg, func(t *testing.T) {
			v := newMany(t, reach) // a bad answer makes the next one wait
			answer := goodAnswer(iss, time.Now())
			answer.header["alg"], answer.header["kid"], answer.alg = alg, iss.CurrentKeyID(alg), alg
			body := answer.sign(iss)
			answering(iss, mediaType, body)
			_, err := v.Verify(t.Context(), "opaque-token")
			wantOutcome(t, want)(nil, err)
			if err != nil {
				wantOnlyAnOutage(t, err, body)
			}
		})
	}
}
