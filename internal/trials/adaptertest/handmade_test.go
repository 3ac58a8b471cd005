package adaptertest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestErrorHandlerChangesHeaderFields and lets Respond write the rest: what it
// added, replaced or took away stays so, in every framework.
func TestErrorHandlerChangesHeaderFields(t *testing.T) {
	const metadata = `, resource_metadata="https://orders.example.com/.well-known/oauth-protected-resource"`
	plain := map[string][]string{
		"Www-Authenticate": {`Bearer realm="api"`}, "Cache-Control": {"no-store"}, "Content-Type": {"application/json"},
	}
	iss := issuertest.New(t)
	for name, tc := range map[string]struct {
		change func(h http.Header, f *httpauth.Failure)
		want   map[string][]string // beside plain
	}{
		"nothing":             {func(http.Header, *httpauth.Failure) {}, nil},
		"a longer challenge":  {func(h http.Header, f *httpauth.Failure) { h.Set("WWW-Authenticate", f.Challenge+metadata) }, map[string][]string{"Www-Authenticate": {`Bearer realm="api"` + metadata}}},
		"a second challenge":  {func(h http.Header, _ *httpauth.Failure) { h.Add("WWW-Authenticate", "Basic") }, map[string][]string{"Www-Authenticate": {`Bearer realm="api"`, "Basic"}}},
		"no challenge":        {func(h http.Header, _ *httpauth.Failure) { h.Del("WWW-Authenticate") }, map[string][]string{"Www-Authenticate": nil}},
		"another caching":     {func(h http.Header, _ *httpauth.Failure) { h.Set("Cache-Control", "private") }, map[string][]string{"Cache-Control": {"private"}}},
		"no caching field":    {func(h http.Header, _ *httpauth.Failure) { h.Del("Cache-Control") }, map[string][]string{"Cache-Control": nil}},
		"another media type":  {func(h http.Header, _ *httpauth.Failure) { h.Set("Content-Type", "application/problem+json") }, map[string][]string{"Content-Type": {"application/problem+json"}}},
		"the failure itself":  {func(_ http.Header, f *httpauth.Failure) { f.Challenge += metadata }, map[string][]string{"Www-Authenticate": {`Bearer realm="api"` + metadata}}},
		"a field of its own":  {func(h http.Header, _ *httpauth.Failure) { h.Set("Retry-After", "7") }, map[string][]string{"Retry-After": {"7"}}},
		"everything":          {func(h http.Header, _ *httpauth.Failure) { clear(h) }, map[string][]string{"Www-Authenticate": nil, "Cache-Control": nil}},
		"the same once again": {func(h http.Header, f *httpauth.Failure) { f.SetHeader(h) }, nil},
	} {
		for _, f := range frameworks {
			t.Run(f.name+"/"+name, func(t *testing.T) {
				cfg := &httpauth.Config{ErrorHandler: func(w http.ResponseWriter, _ *http.Request, f *httpauth.Failure) {
					tc.change(w.Header(), f)
					f.Respond(w)
				}}
				w := httptest.NewRecorder()
				f.api(newValidator(t, modes[0].issuer(iss)), cfg, serve).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/require/orders", nil))
				if w.Code != http.StatusUnauthorized {
					t.Errorf("status %d", w.Code)
				}
				for _, field := range []string{"Www-Authenticate", "Cache-Control", "Content-Type", "Retry-After"} {
					want := plain[field]
					if changed, ok := tc.want[field]; ok {
						want = changed
					}
					if diff := cmp.Diff(want, w.Header()[field]); diff != "" {
						t.Errorf("%s: %s", field, diff)
					}
				}
			})
		}
	}
}

// TestRespondElsewhere: an ErrorHandler that answers through a writer of its own
// gets every field there.
func TestRespondElsewhere(t *testing.T) {
	iss := issuertest.New(t)
	other := httptest.NewRecorder()
	cfg := &httpauth.Config{ErrorHandler: func(w http.ResponseWriter, _ *http.Request, f *httpauth.Failure) {
		w.Header().Del("WWW-Authenticate")
		f.Respond(other)
	}}
	netHTTP(newValidator(t, modes[0].issuer(iss)), cfg, serve).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/require/orders", nil))
	if h := other.Header(); h.Get("WWW-Authenticate") != `Bearer realm="api"` || h.Get("Cache-Control") != "no-store" || other.Code != 401 {
		t.Errorf("%d %v", other.Code, h)
	}
}

// TestHandmadeFailures answer with what they hold, and not like a success.
func TestHandmadeFailures(t *testing.T) {
	denied := httpauth.Body{Error: "access_denied", Description: "The contract of this client has ended."}
	const text = `{"error":"access_denied","error_description":"The contract of this client has ended."}` + "\n"
	for name, tc := range map[string]struct {
		failure httpauth.Failure
		status  int
		body    string
		header  map[string]string
	}{
		"of a policy":      {httpauth.Failure{Status: 403, Body: denied}, 403, text, map[string]string{"Www-Authenticate": "", "Retry-After": ""}},
		"with a challenge": {httpauth.Failure{Status: 401, Challenge: `Bearer realm="x"`, Body: denied}, 401, text, map[string]string{"Www-Authenticate": `Bearer realm="x"`}},
		"with a wait":      {httpauth.Failure{Status: 503, RetryAfter: 1500 * time.Millisecond, Body: denied}, 503, text, map[string]string{"Retry-After": "2"}},
		"with a short one": {httpauth.Failure{Status: 503, RetryAfter: time.Millisecond, Body: denied}, 503, text, map[string]string{"Retry-After": "1"}},
		"without a status": {httpauth.Failure{Body: denied}, 500, text, nil},
		"without a body":   {httpauth.Failure{Status: 403}, 403, `{"error":"","error_description":""}` + "\n", nil},
		"with markup":      {httpauth.Failure{Status: 403, Body: httpauth.Body{Error: "<script>"}}, 403, `{"error":"\u003cscript\u003e","error_description":""}` + "\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			tc.failure.Respond(w)
			if w.Code != tc.status || w.Body.String() != tc.body || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
			}
			for field, want := range tc.header {
				if got := w.Header().Get(field); got != want {
					t.Errorf("%s %q, wanted %q", field, got, want)
				}
			}
		})
	}
}

// TestChangedBody: a body that ErrorHandler exchanged is the one that is written.
func TestChangedBody(t *testing.T) {
	iss := issuertest.New(t)
	for _, f := range frameworks {
		t.Run(f.name, func(t *testing.T) {
			cfg := &httpauth.Config{ErrorHandler: func(w http.ResponseWriter, _ *http.Request, f *httpauth.Failure) {
				f.Body.Description = "Log in first."
				f.Respond(w)
			}}
			w := httptest.NewRecorder()
			f.api(newValidator(t, modes[0].issuer(iss)), cfg, serve).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/require/orders", nil))
			if want := `{"error":"unauthorized","error_description":"Log in first."}` + "\n"; w.Body.String() != want {
				t.Errorf("%s, wanted %s", w.Body, want)
			}
		})
	}
}
