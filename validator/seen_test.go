package validator_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// A dump of the heap, taken after tokens went through Verify, holds none of
// them in full: what the cache keeps cannot be replayed.
func TestHeapHoldsNoToken(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	jwt := newJWT(t, iss)
	opaque := newValidator(t, validator.Issuer{
		URL:      iss.URL(),
		Audience: []string{issuertest.Audience},
		Introspection: &introspection.Config{
			Endpoint: "http://127.0.0.1:1/introspect",
			Auth:     introspection.ClientSecretBasic("api", introspection.Secret("s")),
			// A real connection's buffers would hold the last request for a while;
			// what is looked for here is what we keep.
			HTTPClient: &http.Client{Transport: alwaysActive{}},
		},
	})
	const each = 50
	// The tokens are remembered masked, so that this test holds no copy.
	var masked [][]byte
	use := func() {
		for n := range each {
			for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
				raw := iss.Token(issuertest.Claims{Algorithm: alg})
				masked = append(masked, mask(raw))
				if _, err := jwt.Verify(t.Context(), raw); err != nil {
					t.Fatal(err)
				}
				// Refused ones must not stay either.
				bad := raw[:len(raw)-40] + strings.Repeat("A", 40)
				masked = append(masked, mask(bad))
				if _, err := jwt.Verify(t.Context(), bad); err == nil {
					t.Fatal("a forged token passed")
				}
			}
			raw := strings.Repeat(string(rune('a'+n%26)), 10) + "-" + iss.Opaque(issuertest.Claims{})[:20]
			raw = strings.ToUpper(raw) // not the string that the fake issuer knows
			masked = append(masked, mask(raw))
			for range 2 {
				if _, err := opaque.Verify(t.Context(), raw); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	use()
	kept := []byte("a marker that the dump must hold: " + strings.Repeat("m2mguard", 4))

	dump := filepath.Join(t.TempDir(), "heap")
	file, err := os.Create(dump)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		runtime.GC() // pools give up what they hold in the second
	}
	debug.WriteHeapDump(file.Fd())
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	heap, err := os.ReadFile(dump)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(heap, kept) {
		t.Fatal("the dump does not hold what is certainly on the heap, so it proves nothing")
	}
	for _, m := range masked {
		token := unmask(m)
		if bytes.Contains(heap, token) {
			t.Errorf("the heap holds a token of %d bytes", len(token))
		}
		clear(token)
	}
	runtime.KeepAlive(kept)
	runtime.KeepAlive(jwt)
	runtime.KeepAlive(opaque)
}

func mask(token string) []byte {
	m := []byte(token)
	for i := range m {
		m[i] ^= 0x80
	}
	return m
}

func unmask(m []byte) []byte { return []byte(mask(string(m))) }

// alwaysActive is an introspection endpoint that keeps nothing.
type alwaysActive struct{}

func (alwaysActive) RoundTrip(r *http.Request) (*http.Response, error) {
	io.Copy(io.Discard, r.Body)
	r.Body.Close()
	return &http.Response{
		StatusCode: 200,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(strings.NewReader(`{"active":true,"aud":"` + issuertest.Audience + `","client_id":"c","scope":"a"}`)),
		Request:    r,
	}, nil
}
