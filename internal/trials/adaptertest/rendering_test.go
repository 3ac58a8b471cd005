package adaptertest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestErrorHandler replaces the rendering: one function, the same answer in
// every framework.
func TestErrorHandler(t *testing.T) {
	cfg := &httpauth.Config{
		Realm: "orders",
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, f *httpauth.Failure) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(f.Status)
			_, _ = fmt.Fprintf(w, `{"title":%q,"detail":%q,"instance":%q}`, f.Body.Error, f.Body.Description, r.URL.Path)
		},
	}
	iss := issuertest.New(t)
	scopeless := bearer(iss.Token(issuertest.Claims{}))
	for _, f := range frameworks {
		t.Run(f.name, func(t *testing.T) {
			server := httptest.NewServer(f.api(newValidator(t, modes[0].issuer(iss)), cfg, serve))
			t.Cleanup(server.Close)
			for _, tc := range []struct {
				authorization []string
				want          answer
			}{
				{nil, answer{
					Status: 401, Challenges: []string{`Bearer realm="orders"`},
					Body: `{"title":"unauthorized","detail":"No access token was sent.","instance":"/require/orders"}`,
				}},
				{scopeless, answer{
					Status:     403,
					Challenges: []string{`Bearer realm="orders", error="insufficient_scope", error_description="The access token lacks a scope that this request needs.", scope="orders:read"`},
					Body:       `{"title":"insufficient_scope","detail":"The access token lacks a scope that this request needs.","instance":"/require/orders"}`,
				}},
			} {
				tc.want.ContentType, tc.want.CacheControl = "application/problem+json", "no-store"
				got, _ := ask(t, server, http.MethodGet, "/require/orders", nil, tc.authorization)
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// TestPanicLetsNobodyIn: a panic in a user's function cuts the connection, and
// the handler does not run.
func TestPanicLetsNobodyIn(t *testing.T) {
	iss := issuertest.New(t)
	panicking := func(http.ResponseWriter, *http.Request, *httpauth.Failure) { panic("a mistake in the error handler") }
	for _, f := range frameworks {
		t.Run(f.name, func(t *testing.T) {
			api := f.api(newValidator(t, modes[0].issuer(iss)), &httpauth.Config{ErrorHandler: panicking}, serve)
			server := httptest.NewUnstartedServer(api)
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.Start()
			t.Cleanup(server.Close)
			response, err := server.Client().Get(server.URL + "/require/orders")
			if err == nil {
				_ = response.Body.Close()
				t.Errorf("status %d, wanted no answer", response.StatusCode)
			}
		})
	}
}

// TestClientGone: a request whose own context ends while the issuer is asked
// says nothing about the token either.
func TestClientGone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, m := range modes {
		for _, f := range frameworks {
			t.Run(m.name+"/"+f.name, func(t *testing.T) {
				iss := issuertest.New(t)
				for _, endpoint := range []issuertest.Endpoint{issuertest.Discovery, issuertest.Introspection} {
					iss.SetFault(endpoint, issuertest.Slow(time.Hour)) // cut short by Close
				}
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/require/orders", nil)
				r.Header["Authorization"] = bearer(m.token(iss, issuertest.Claims{Scope: "orders:read"}))
				w := httptest.NewRecorder()
				f.api(newValidator(t, m.issuer(iss)), nil, serve).ServeHTTP(w, r)
				if w.Code != http.StatusServiceUnavailable || w.Header().Get("WWW-Authenticate") != "" || w.Header().Get("Retry-After") == "" {
					t.Errorf("status %d, header %v", w.Code, w.Header())
				}
			})
		}
	}
}

// TestWrongConfig: what is constant in a program is refused where it is written.
func TestWrongConfig(t *testing.T) {
	v := newValidator(t, modes[0].issuer(issuertest.New(t)))
	for _, f := range frameworks {
		for name, build := range map[string]func(){
			"nil validator":     func() { f.api(nil, nil, serve) },
			"zero validator":    func() { f.api(new(validator.Validator), nil, serve) },
			"quote in realm":    func() { f.api(v, &httpauth.Config{Realm: `or"ders`}, serve) },
			"escape in realm":   func() { f.api(v, &httpauth.Config{Realm: `or\ders`}, serve) },
			"control in realm":  func() { f.api(v, &httpauth.Config{Realm: "orders\r\n"}, serve) },
			"not ASCII":         func() { f.api(v, &httpauth.Config{Realm: "commandées"}, serve) },
			"nothing elsewhere": func() { f.api(v, &httpauth.Config{DangerouslyIgnoreAuthorization: true}, serve) },
			"audience of none":  func() { f.api(v, &httpauth.Config{Audience: []string{}}, serve) },
			"empty audience":    func() { f.api(v, &httpauth.Config{Audience: []string{"orders", ""}}, serve) },
		} {
			t.Run(f.name+"/"+name, func(t *testing.T) {
				defer func() {
					if recover() == nil {
						t.Error("no panic")
					}
				}()
				build()
			})
		}
	}
}

// TestFailure: what an ErrorHandler gets matches the sentinels and names the
// check.
func TestFailure(t *testing.T) {
	iss := issuertest.New(t)
	for _, tc := range []struct {
		name          string
		authorization []string
		sentinel      error
		check         validator.Check
	}{
		{"missing", nil, validator.ErrMissingToken, validator.CheckMissing},
		{"malformed", []string{"Bearer a,b"}, validator.ErrInvalidRequest, validator.CheckRequest},
		{"expired", bearer(iss.Bad(issuertest.Expired, issuertest.Claims{})), validator.ErrInvalidToken, validator.CheckExpiry},
		{"scope", bearer(iss.Token(issuertest.Claims{})), validator.ErrInsufficientScope, validator.CheckScope},
	} {
		for _, f := range frameworks {
			t.Run(f.name+"/"+tc.name, func(t *testing.T) {
				var failure *httpauth.Failure
				cfg := &httpauth.Config{ErrorHandler: func(w http.ResponseWriter, _ *http.Request, f *httpauth.Failure) {
					failure = f
					f.Respond(w)
				}}
				r := httptest.NewRequest(http.MethodGet, "/require/orders", nil)
				r.Header["Authorization"] = tc.authorization
				w := httptest.NewRecorder()
				f.api(newValidator(t, modes[0].issuer(iss)), cfg, serve).ServeHTTP(w, r)
				if failure == nil || !errors.Is(failure.Err, tc.sentinel) || failure.Err.Check() != tc.check {
					t.Fatalf("got %+v", failure)
				}
				if w.Code != failure.Status || w.Header().Get("WWW-Authenticate") != failure.Challenge {
					t.Errorf("Respond wrote %d %v", w.Code, w.Header())
				}
			})
		}
	}
}
