package dpop_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/m2mguard/m2mguard/dpop"
)

// An API checks the proof of RFC 9449, Figure 12, beside a token that it has proven.
// The second time it is a replay.
func Example() {
	verifier, err := dpop.New(dpop.Config{
		Now: func() time.Time { return time.Unix(1562262618, 0) }, // when the RFC's example was made; leave it out
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	const token, boundTo = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"

	check := func(r *http.Request) {
		hash := sha256.Sum256([]byte(token))
		result, err := verifier.Verify(context.Background(), &dpop.Request{
			Proofs:     r.Header.Values("DPoP"),
			Method:     r.Method,
			URL:        "https://resource.example.org" + r.RequestURI, // of the configuration, never of Host
			TokenHash:  base64.RawURLEncoding.EncodeToString(hash[:]),
			Thumbprint: boundTo, // cnf.jkt
			Source:     r.RemoteAddr,
		})
		if result.Nonce != "" {
			fmt.Println("DPoP-Nonce:", result.Nonce)
		}
		switch refused, _ := errors.AsType[*dpop.Error](err); {
		case err == nil:
			fmt.Println("200")
		case errors.Is(err, dpop.ErrUnavailable):
			fmt.Println("503, Retry-After:", refused.RetryAfter())
		default:
			fmt.Println("401", refused.Check(), "-", refused.Description())
		}
	}
	r := httptest.NewRequest("GET", "/protectedresource", nil)
	r.Header.Set("DPoP", "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"+
		".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9"+
		".2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA")
	check(r)
	check(r)
	// Output:
	// 200
	// 401 replay - The DPoP proof was used before.
}

// Instances that share their work take the same nonces, and rotate what seals them.
func ExampleNewSealed() {
	current, previous := []byte("32 random bytes of a secret store"), []byte("and those that were there before")
	nonces, err := dpop.NewSealed(dpop.SealedConfig{
		Secrets: func() [][]byte { return [][]byte{current, previous} },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = dpop.New(dpop.Config{Nonces: nonces})
	fmt.Println(err)
	// Output:
	// <nil>
}
