//go:build !race

// Under the race detector sync.Pool drops what it holds at random, so there
// are no allocations to count.

package connectauth_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/adapters/connectauth"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// seen is a call with a token that was seen before, and the gate before an empty handler.
func seen(t testing.TB, kind string) (http.Handler, *http.Request) {
	t.Helper()
	iss := issuertest.New(t)
	auth := connectauth.New(newValidator(t, iss), connectauth.Rules{list: readRule}, nil)
	handler := auth.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest("POST", list, http.NoBody)
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{Scope: "orders:read"}))
	w := httptest.NewRecorder()
	if handler.ServeHTTP(w, r); w.Code != 200 || w.Body.Len() > 0 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return handler, r
}

// TestCost: what the gate adds to a unary call with a token that was seen before.
func TestCost(t *testing.T) {
	const most = 7 // one of them a header that its handler has for itself
	handler, r := seen(t, "application/proto")
	w := httptest.NewRecorder()
	message := io.NopCloser(strings.NewReader("x"))
	for name, body := range map[string]io.ReadCloser{"no message": http.NoBody, "a message": message} {
		r.Body = body
		if n := testing.AllocsPerRun(1000, func() { handler.ServeHTTP(w, r) }); n > most {
			t.Errorf("%s: %v allocations, wanted at most %d", name, n, most)
		}
	}
}

func BenchmarkUnary(b *testing.B)  { benchmark(b, "application/proto") }
func BenchmarkStream(b *testing.B) { benchmark(b, "application/connect+proto") }

func benchmark(b *testing.B, kind string) {
	handler, r := seen(b, kind)
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(w, r)
	}
}
