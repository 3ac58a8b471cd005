package adaptertest_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestFloodsOfProofs: good proofs under one key without end, and made-up ones under as
// many keys, with default settings. Who floods gets 200 or 429 for the first and 401 for
// the second, never 5xx, and an honest client of another source gets 200 throughout.
func TestFloodsOfProofs(t *testing.T) {
	iss := issuertest.New(t)
	mine, honest := testdata.PrivateKey("ed25519-a"), testdata.PrivateKey("p256-a")
	tokenFor := func(client string, key crypto.Signer) string {
		return iss.Token(issuertest.Claims{ClientID: client, Scope: "orders:read", JWKThumbprint: issuertest.Thumbprint(key.Public())})
	}
	greedy, good := tokenFor("greedy", mine), tokenFor("honest", honest)
	for name, tc := range map[string]struct {
		key     func() crypto.Signer
		answers map[int]bool
	}{
		"one key":   {func() crypto.Signer { return mine }, map[int]bool{200: true, 429: true}},
		"many keys": {func() crypto.Signer { _, key, _ := ed25519.GenerateKey(rand.Reader); return key }, map[int]bool{401: true}},
	} {
		t.Run(name, func(t *testing.T) {
			handler := httpauth.New(provingValidator(t, iss), &httpauth.Config{PublicURL: []string{public}}).
				Require(scopes.All("orders:read"))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			ask := func(source, token string, key crypto.Signer, id string) int {
				r := httptest.NewRequest(http.MethodGet, "/orders", nil)
				r.RemoteAddr = source + ":4711"
				r.Header["Authorization"] = []string{"DPoP " + token}
				r.Header["Dpop"] = []string{issuertest.Proof(key, issuertest.ProofClaims{URL: public + "/orders", Token: token, ID: id})}
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				return w.Code
			}
			var left, odd atomic.Int64
			left.Store(floods)
			var flood sync.WaitGroup
			for range 64 {
				flood.Go(func() {
					for n := left.Add(-1); n >= 0; n = left.Add(-1) {
						if code := ask("192.0.2.1", greedy, tc.key(), strconv.FormatInt(n, 10)); !tc.answers[code] {
							odd.Store(int64(code))
						}
					}
				})
			}
			served := 0
			for n := 0; left.Load() > 0; n++ {
				if code := ask("198.51.100.7", good, honest, "honest "+strconv.Itoa(n)); code != http.StatusOK {
					t.Errorf("an honest request was answered %d after %d", code, served)
					break
				}
				served++
			}
			flood.Wait()
			if code := odd.Load(); code != 0 {
				t.Errorf("the flood was answered %d", code)
			}
			t.Logf("%d proofs, and %d honest requests in between", floods, served)
			if served < 10 {
				t.Errorf("%d honest requests were served", served)
			}
		})
	}
}
