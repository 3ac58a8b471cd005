package adaptertest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestMetadata: what an API says of itself (RFC 9728).
func TestMetadata(t *testing.T) {
	iss := issuertest.New(t)
	for name, tc := range map[string]struct {
		change func(*validator.Config)
		cfg    httpauth.Config
		host   string
		target string
		want   map[string]any // nil: 404
	}{
		"DPoP beside bearer tokens": {nil, httpauth.Config{PublicURL: []string{public}}, "x", "", map[string]any{
			"resource": public, "authorization_servers": []any{iss.URL()}, "bearer_methods_supported": []any{"header"}, "dpop_signing_alg_values_supported": anys(dpopAlgorithms(t)),
		}},
		"DPoP alone": {func(c *validator.Config) {
			c.Issuers[0].Binding = validator.BindingRequired
			c.DPoP.Algorithms = []string{"ES256"}
		}, httpauth.Config{PublicURL: []string{public}}, "x", "", map[string]any{
			"resource": public, "authorization_servers": []any{iss.URL()}, "bearer_methods_supported": []any{"header"}, "dpop_signing_alg_values_supported": []any{"ES256"}, "dpop_bound_access_tokens_required": true,
		}},
		"no DPoP, certificates, scopes, a prefix": {func(c *validator.Config) { c.DPoP = nil }, httpauth.Config{
			PublicURL: []string{public}, PublicPathPrefix: "/v1", ClientCertificate: func(*http.Request) ([]byte, error) { return nil, nil },
			Metadata: httpauth.Metadata{Scopes: []string{"z", "a"}, ScopesOfRoutes: true},
		}, "x", "/v1", map[string]any{
			"resource": public + "/v1", "authorization_servers": []any{iss.URL()}, "bearer_methods_supported": []any{"header"},
			"scopes_supported": []any{"a", "orders:read", "orders:write", "z"}, "tls_client_certificate_bound_access_tokens": true,
		}},
		"one resource of several at a host": {nil, httpauth.Config{PublicURL: []string{public}, Metadata: httpauth.Metadata{Path: "/mcp/"}}, "x", "/mcp", map[string]any{
			"resource": public + "/mcp", "authorization_servers": []any{iss.URL()}, "bearer_methods_supported": []any{"header"}, "dpop_signing_alg_values_supported": anys(dpopAlgorithms(t)),
		}},
		"and behind a prefix": {func(c *validator.Config) { c.DPoP = nil }, httpauth.Config{PublicURL: []string{public}, PublicPathPrefix: "/v1", Metadata: httpauth.Metadata{Path: "/mcp"}}, "x", "/v1/mcp", map[string]any{
			"resource": public + "/v1/mcp", "authorization_servers": []any{iss.URL()}, "bearer_methods_supported": []any{"header"},
		}},
		"the second of two": {func(c *validator.Config) { c.DPoP = nil }, httpauth.Config{PublicURL: []string{public, "https://b.example.com"}, Metadata: httpauth.Metadata{CertificateBound: true}}, "b.example.com", "", map[string]any{
			"resource": "https://b.example.com", "authorization_servers": []any{iss.URL()}, "bearer_methods_supported": []any{"header"}, "tls_client_certificate_bound_access_tokens": true,
		}},
		"neither of two": {nil, httpauth.Config{PublicURL: []string{public, "https://b.example.com"}}, "c.example.com", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var change []func(*validator.Config)
			if tc.change != nil {
				change = append(change, tc.change)
			}
			auth := httpauth.New(provingValidator(t, iss, change...), &tc.cfg)
			mux := http.NewServeMux()
			auth.Handle(mux, "GET /orders", scopes.All("orders:read"), http.HandlerFunc(serve))
			auth.Handle(mux, "POST /orders", scopes.Any("orders:write", "orders:read"), http.HandlerFunc(serve))
			auth.MountMetadata(mux)
			r := httptest.NewRequest("GET", "/.well-known/oauth-protected-resource"+tc.target, nil)
			r.Host = tc.host
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			if tc.want == nil {
				if w.Code != 404 {
					t.Errorf("%d %s, wanted 404", w.Code, w.Body)
				}
				return
			}
			var got map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Access-Control-Allow-Origin") != "*" {
				t.Fatalf("%d %v %s: %v", w.Code, w.Header(), w.Body, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			challenge := httptest.NewRecorder()
			ask := httptest.NewRequest("GET", "/orders", nil)
			ask.Host = tc.host
			mux.ServeHTTP(challenge, ask)
			base := strings.TrimSuffix(fmt.Sprint(tc.want["resource"]), tc.target)
			if said := challenge.Header().Get("WWW-Authenticate"); !strings.Contains(said, `resource_metadata="`+base+auth.MetadataPath()+`"`) {
				t.Errorf("the challenge points elsewhere: %s", said)
			}
			post := httptest.NewRecorder()
			mux.ServeHTTP(post, httptest.NewRequest("POST", "/.well-known/oauth-protected-resource"+tc.target, nil))
			if post.Code != 405 || post.Header().Get("Allow") == "" {
				t.Errorf("POST: %d", post.Code)
			}
		})
	}
}

func anys(list []string) (all []any) {
	for _, s := range list {
		all = append(all, s)
	}
	return all
}

// TestMetadataInEachFramework: the same document, by each adapter's own function.
func TestMetadataInEachFramework(t *testing.T) {
	iss := issuertest.New(t)
	v := provingValidator(t, iss)
	cfg := &httpauth.Config{PublicURL: []string{public}}
	mux := http.NewServeMux()
	mux.Handle("GET /{path...}", http.NotFoundHandler())
	mux.Handle("GET /{tenant}/{id}", http.NotFoundHandler())
	httpauth.New(v, cfg).MountMetadata(mux)
	router := chi.NewRouter()
	httpauth.New(v, cfg).MountMetadata(router)
	e := echo.New()
	echoauth.New(v, cfg).MountMetadata(e)
	engine := gin.New()
	ginauth.New(v, cfg).MountMetadata(engine)
	for name, handler := range map[string]http.Handler{"net/http": mux, "chi": router, "Echo": e, "Gin": engine} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/oauth-protected-resource", nil))
		if w.Code != 200 || !strings.Contains(w.Body.String(), `"resource":"`+public+`"`) || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
		}
	}
}
