//go:build !race

// Under the race detector sync.Pool drops what it holds at random, so there
// are no allocations to count.

package adaptertest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v4"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// apis are one empty handler in each framework, protected or, for a nil v, bare.
var apis = []struct {
	name   string
	budget float64 // allocations over the bare handler, for a token seen before
	build  func(v *validator.Validator) http.Handler
}{
	{"net/http", 3, func(v *validator.Validator) http.Handler {
		var handler http.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		if v != nil {
			handler = httpauth.New(v, nil).Require(scopes.All("orders:read"))(handler)
		}
		mux := http.NewServeMux()
		mux.Handle("GET /orders", handler)
		return mux
	}},
	{"Echo", 5, func(v *validator.Validator) http.Handler {
		e := echo.New()
		handler := func(echo.Context) error { return nil }
		if v != nil {
			e.GET("/orders", handler, echoauth.New(v, nil).Require(scopes.All("orders:read")))
		} else {
			e.GET("/orders", handler)
		}
		return e
	}},
	{"Gin", 5, func(v *validator.Validator) http.Handler {
		engine := gin.New()
		handler := func(*gin.Context) {}
		if v != nil {
			engine.GET("/orders", ginauth.New(v, nil).Require(scopes.All("orders:read")), handler)
		} else {
			engine.GET("/orders", handler)
		}
		return engine
	}},
}

// discard is a response that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(status int) {
	if status != http.StatusOK {
		panic(http.StatusText(status))
	}
}

// TestAllocations: an observer that asks for accepted requests is told of each, and
// costs nothing more.
func TestAllocations(t *testing.T) {
	for _, m := range modes {
		iss := issuertest.New(t)
		var accepted atomic.Int64
		telling, err := validator.New(validator.Config{
			Issuers: []validator.Issuer{m.issuer(iss)},
			Observer: observe.Observer{Accepted: true, Event: func(_ context.Context, e *observe.Event) {
				if e.Kind == observe.Accepted {
					accepted.Add(1)
				}
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(telling.Close)
		unobserved := newValidator(t, m.issuer(iss))
		r := httptest.NewRequest(http.MethodGet, "/orders", nil)
		r.Header["Authorization"] = bearer(m.token(iss, issuertest.Claims{Scope: "orders:read"}))
		for _, api := range apis {
			measure := func(handler http.Handler) float64 {
				w := discard{make(http.Header)}
				return testing.AllocsPerRun(1000, func() { handler.ServeHTTP(w, r) })
			}
			t.Run(m.name+"/"+api.name, func(t *testing.T) {
				bare, quiet := measure(api.build(nil)), measure(api.build(unobserved))
				if quiet-bare > api.budget {
					t.Errorf("%v allocations, %v without protection: wanted at most %v more", quiet, bare, api.budget)
				}
				before := accepted.Load()
				if told := measure(api.build(telling)); told > quiet {
					t.Errorf("%v allocations with an observer, %v without: wanted no more", told, quiet)
				}
				if n := accepted.Load() - before; n < 1000 {
					t.Errorf("the observer was told of %d requests, wanted all", n)
				}
				t.Logf("%v allocations over the bare handler's %v", quiet-bare, bare)
			})
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	for _, m := range modes {
		iss := issuertest.New(b)
		v := newValidator(b, m.issuer(iss))
		r := httptest.NewRequest(http.MethodGet, "/orders", nil)
		r.Header["Authorization"] = bearer(m.token(iss, issuertest.Claims{
			Scope: "orders:read",
			Extra: map[string]any{"org": "a claim that brings the token to a common length of about 970 bytes, as providers' tokens are: 0123456789 0123456789 0123456789 0123456789 0123456789"},
		}))
		for _, api := range apis {
			for name, handler := range map[string]http.Handler{"bare": api.build(nil), "protected": api.build(v)} {
				b.Run(m.name+"/"+api.name+"/"+name, func(b *testing.B) {
					w := discard{make(http.Header)}
					b.ReportAllocs()
					for b.Loop() {
						handler.ServeHTTP(w, r)
					}
				})
			}
		}
	}
}
