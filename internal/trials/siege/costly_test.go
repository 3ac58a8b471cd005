package siege_test

import (
	"crypto/rand"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// rsa4096 looks like the public half of an RSA key of 4096 bits: verifying a
// forgery costs the same, whether or not anybody has the other half.
func rsa4096(kid string) jwk {
	modulus := make([]byte, 512)
	rand.Read(modulus)
	modulus[0] |= 0x80
	modulus[len(modulus)-1] |= 1
	return jwk{"kty": "RSA", "kid": kid, "n": segment(modulus), "e": "AQAB"}
}

// TestExpensiveForgeries floods an API with forgeries under keys that cost most,
// so many that they wait for twice VerifyWait. First sights under usual keys are
// all answered with 200, within VerifyWait.
func TestExpensiveForgeries(t *testing.T) {
	const wait = 400 * time.Millisecond
	iss := issuertest.New(t)
	iss.SetJWKS(keySet(public("p384", "p384"), rsa4096("rsa-4096"), public("ed25519-a", "ed"), public("rsa-2048-a", "rsa")), nil)
	config := byKeys(iss, jwks.Config{})
	config.Issuers[0].Algorithms = []string{"ES384", "RS256", "EdDSA"}
	config.VerifySlots, config.VerifyWait = 4, wait
	a := listen(t, config)
	honest := func() string { return by(iss, "ed25519-a", "ed", "EdDSA") }
	a.become(honest(), ok, unavailable)

	f := newForger(iss)
	forgeries := []func() string{
		func() string { return f.token("ES384", "p384", 96) },
		func() string { return f.token("RS256", "rsa-4096", 512) },
	}
	var stop atomic.Bool
	var flood sync.WaitGroup
	defer flood.Wait()
	defer stop.Store(true)
	var turnedAway atomic.Bool
	flooders := make([]int, len(forgeries)) // each kind takes wait, one after the other in the one slot
	for i, forge := range forgeries {
		began := time.Now()
		const samples = 10
		for range samples {
			if got := a.call(forge()); got != invalidToken {
				t.Fatalf("a forgery was answered %s", got)
			}
		}
		cost := time.Since(began) / samples
		flooders[i] = min(int(wait/cost)+1, 3000)
	}
	for i, forge := range forgeries {
		for range flooders[i] {
			flood.Go(func() {
				for !stop.Load() {
					switch got := a.call(forge()); got {
					case invalidToken:
					case throttled:
						turnedAway.Store(true)
					default:
						t.Errorf("a forgery was answered %s", got)
					}
				}
			})
		}
	}
	until(t, "a forgery to find no slot", turnedAway.Load)
	for i := range 20 {
		token := honest()
		if i%2 == 1 {
			token = by(iss, "rsa-2048-a", "rsa", "RS256")
		}
		if got := a.get(token); got != ok { // 503, if it had waited longer than wait for a slot
			t.Errorf("an honest first sight was answered %s", got)
		}
	}
}
