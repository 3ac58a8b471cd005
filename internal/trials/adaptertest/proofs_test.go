package adaptertest_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v4"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/internal/trials/proofs"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// boundTokens is an issuer that calls every token active, and bound to the thumbprint
// that it was made for. RFC 9449's own is opaque, too.
type boundTokens map[string]string

func (b boundTokens) IntrospectToken(_ context.Context, token string) (introspection.Answer, error) {
	return introspection.Answer{Active: true, Claims: map[string]any{
		"aud": "orders", "scope": "orders:read", "token_type": "DPoP", "cnf": map[string]any{"jkt": b[token]},
	}}, nil
}

// catalogueNonces are those of the catalogue.
type catalogueNonces struct{}

func (catalogueNonces) Nonce(context.Context) (string, error) { return proofs.NextNonce, nil }

func (catalogueNonces) Judge(_ context.Context, nonce string) (dpop.Judgement, error) {
	switch nonce {
	case proofs.GoodNonce:
		return dpop.NonceGood, nil
	case proofs.EndingNonce:
		return dpop.NonceEnding, nil
	}
	return dpop.NonceBad, nil
}

func validatorOfProofs(t *testing.T, tc proofs.Case, tokens boundTokens, change ...func(*validator.Config)) *validator.Validator {
	t.Helper()
	cfg := dpop.Config{Now: func() time.Time { return tc.Now }, Replays: dpop.NewMemory(2000)}
	switch tc.Config {
	case proofs.OnlyES256:
		cfg.Algorithms = []string{"ES256"}
	case proofs.Nonces:
		cfg.Nonces = catalogueNonces{}
	}
	all := validator.Config{
		Issuers: []validator.Issuer{{URL: "https://id.example.com", Audience: []string{"orders"}, Introspection: &introspection.Config{Introspector: tokens}}},
		DPoP:    &cfg,
	}
	for _, c := range change {
		c(&all)
	}
	v, err := validator.New(all)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// wantOfProof is what the API answers to a case: a status, and the code of its
// challenge.
func wantOfProof(tc proofs.Case) (status int, code string) {
	switch tc.Want {
	case "":
		return http.StatusOK, ""
	case "jkt":
		return http.StatusUnauthorized, "invalid_token"
	case "nonce":
		return http.StatusUnauthorized, "use_dpop_nonce"
	}
	return http.StatusUnauthorized, "invalid_dpop_proof"
}

// TestCatalogueOfProofs runs dpop's catalogue through VerifyRequest and through each
// adapter: where dpop refuses, so do they, and nobody else.
func TestCatalogueOfProofs(t *testing.T) {
	tokens := make(boundTokens)
	hostile, good := 0, 0
	for _, tc := range proofs.All(func(thumbprint string) string { return "token-of-" + thumbprint }) {
		tokens[tc.Token] = tc.Thumbprint
		if tc.Hostile() {
			hostile++
		} else {
			good++
		}
		t.Run(strings.ReplaceAll(tc.Name, "/", "_"), func(t *testing.T) {
			verifyProof(t, tc, tokens)
			for name, handler := range guardedByProof(t, tc, tokens) {
				serveProof(t, name, handler, tc)
			}
		})
	}
	if hostile < 180 || good < 30 {
		t.Errorf("%d hostile and %d good proofs, wanted 180 and 30 at least", hostile, good)
	}
}

// verifyProof goes by VerifyRequest.
func verifyProof(t *testing.T, tc proofs.Case, tokens boundTokens) {
	t.Helper()
	v := validatorOfProofs(t, tc, tokens)
	shown := validator.Request{Scheme: "DPoP", Token: tc.Token, Method: tc.Method, URL: tc.URL}
	for _, line := range tc.Prior {
		shown.Proofs = []string{line}
		if _, err := v.VerifyRequest(t.Context(), &shown, nil); err != nil {
			t.Fatalf("before it: %v", err)
		}
	}
	shown.Proofs = tc.Proofs
	_, err := v.VerifyRequest(t.Context(), &shown, nil)
	_, code := wantOfProof(tc)
	switch refused, ok := err.(*validator.Error); {
	case err == nil && code == "":
	case !ok || refused.Code() != code || !errors.Is(err, validator.ErrInvalidToken):
		t.Errorf("VerifyRequest: %v, wanted %q (%s)", err, code, tc.Cite)
	default:
		if tc.Want == "jkt" && strings.Contains(err.Error(), "its cnf") {
			return // the token's own thumbprint is none
		}
		if at, ok := errors.AsType[*dpop.Error](err); !ok || string(at.Check()) != tc.Want || refused.Description() != at.Description() || refused.Scheme() != "DPoP" {
			t.Errorf("VerifyRequest: %v, wanted dpop's %s", err, tc.Want)
		}
		for _, secret := range append([]string{tc.Token}, tc.Proofs...) {
			if len(secret) > 20 && strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows it: %v", err)
			}
		}
	}
}

// guardedByProof are APIs with one route for everything, built with each adapter.
func guardedByProof(t *testing.T, tc proofs.Case, tokens boundTokens) map[string]http.Handler {
	base, err := url.Parse(tc.URL)
	if err != nil || base.Host == "" {
		t.Fatalf("the case is for %q", tc.URL)
	}
	cfg := &httpauth.Config{PublicURL: []string{"https://" + base.Host}}
	rule := scopes.All("orders:read")
	e := echo.New()
	e.Use(echoauth.New(validatorOfProofs(t, tc, tokens), cfg).Require(rule))
	e.Add(tc.Method, "/*", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	engine := gin.New()
	engine.NoRoute(ginauth.New(validatorOfProofs(t, tc, tokens), cfg).Require(rule), func(c *gin.Context) { c.Status(http.StatusOK) })
	plain := httpauth.New(validatorOfProofs(t, tc, tokens), cfg).Require(rule)
	return map[string]http.Handler{
		"net/http": plain(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})),
		"Echo":     e,
		"Gin":      engine,
	}
}

// serveProof sends a case to an API, and what goes before it.
func serveProof(t *testing.T, name string, handler http.Handler, tc proofs.Case) {
	t.Helper()
	send := func(lines []string) *httptest.ResponseRecorder {
		target := targetOf(tc.URL)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if parsed, err := url.ParseRequestURI(target); err == nil {
			r.URL = parsed
		}
		r.Method, r.RequestURI = tc.Method, target
		r.Header["Authorization"] = []string{"DPoP " + tc.Token}
		if lines != nil {
			r.Header["Dpop"] = lines
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	for _, line := range tc.Prior {
		if w := send([]string{line}); w.Code != http.StatusOK {
			t.Fatalf("%s, before it: %d %s", name, w.Code, w.Body)
		}
	}
	w := send(tc.Proofs)
	status, code := wantOfProof(tc)
	challenge := w.Header().Get("WWW-Authenticate")
	if w.Code != status || code != "" && !strings.HasPrefix(challenge, `DPoP realm="api", error="`+code+`"`) {
		t.Errorf("%s: %d, %s; wanted %d, %q (%s)", name, w.Code, challenge, status, code, tc.Cite)
	}
	hands := tc.Config == proofs.Nonces && (tc.Want == "nonce" || strings.HasPrefix(tc.Name, "a nonce near its end"))
	if nonce := w.Header().Get("DPoP-Nonce"); (nonce == proofs.NextNonce) != hands || nonce != "" && w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%s: DPoP-Nonce %q with Cache-Control %q", name, nonce, w.Header().Get("Cache-Control"))
	}
}

// TestNothingOfAProofIsTold: in no error, event, log line or answer is a token, a proof
// or a part of one, its key or its jti; the nonce is in its field alone.
func TestNothingOfAProofIsTold(t *testing.T) {
	tokens := make(boundTokens)
	for _, tc := range proofs.All(func(thumbprint string) string { return "an-opaque-token-of-" + thumbprint }) {
		if !tc.Hostile() {
			continue
		}
		tokens[tc.Token] = tc.Thumbprint
		t.Run(strings.ReplaceAll(tc.Name, "/", "_"), func(t *testing.T) {
			var told bytes.Buffer
			var mu sync.Mutex
			logs := validator.LogEvents(slog.New(slog.NewJSONHandler(&told, &slog.HandlerOptions{Level: slog.LevelDebug})))
			observer := observe.Join(logs, observe.Observer{Event: func(_ context.Context, e *observe.Event) {
				_, _ = fmt.Fprintf(&told, "%+v %v %#v", *e, e.Err, e)
			}})
			locked := observe.Observer{Event: func(ctx context.Context, e *observe.Event) {
				mu.Lock()
				defer mu.Unlock()
				observer.Event(ctx, e)
			}}
			v := validatorOfProofs(t, tc, tokens, func(c *validator.Config) { c.Observer = locked })
			handler := httpauth.New(v, &httpauth.Config{PublicURL: []string{"https://" + hostOf(t, tc.URL)}, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, f *httpauth.Failure) {
				_, _ = fmt.Fprintf(&told, "%v %+v %v", f.Err, f.Body, f.Challenge)
				f.Respond(w)
			}}).Require(scopes.AnyToken())(http.HandlerFunc(serve))
			w := httptest.NewRecorder()
			for _, lines := range append(priors(tc), tc.Proofs) {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.Method, r.RequestURI = tc.Method, targetOf(tc.URL)
				r.Header["Authorization"] = []string{"DPoP " + tc.Token}
				r.Header["Dpop"] = lines
				w = httptest.NewRecorder()
				handler.ServeHTTP(w, r)
			}
			mu.Lock()
			defer mu.Unlock()
			header := w.Header().Clone()
			header.Del("DPoP-Nonce")
			_, _ = fmt.Fprint(&told, w.Body, header)
			for _, secret := range secretsOf(tc) {
				if strings.Contains(told.String(), secret) {
					t.Errorf("%.60q is told: %.600s", secret, told.String())
				}
			}
		})
	}
}

func priors(tc proofs.Case) (all [][]string) {
	for _, line := range tc.Prior {
		all = append(all, []string{line})
	}
	return all
}

func hostOf(t *testing.T, text string) string {
	t.Helper()
	parsed, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Host
}

// targetOf is the request line's part of a URL.
func targetOf(text string) string {
	_, target, _ := strings.Cut(text, "://")
	if start := strings.IndexAny(target, "/?"); start >= 0 {
		return target[start:]
	}
	return "/"
}

// secretsOf are pieces of a case that nobody else should read: the token, each part of
// each proof, and what a part holds that is long enough to be one's own.
func secretsOf(tc proofs.Case) []string {
	const long = 16
	secrets := []string{tc.Token}
	for _, line := range tc.Proofs {
		for _, part := range strings.FieldsFunc(line, func(c rune) bool { return c == '.' || c == ',' || c == ' ' }) {
			secrets = append(secrets, part[:min(len(part), 40)])
			text, err := base64.RawURLEncoding.DecodeString(part)
			if err != nil {
				continue
			}
			var object map[string]json.RawMessage
			if json.Unmarshal(text, &object) != nil {
				continue
			}
			for _, name := range []string{"jti", "ath", "nonce", "jwk"} {
				secrets = append(secrets, strings.Trim(string(object[name]), `"{}`))
			}
		}
	}
	return slices.DeleteFunc(secrets, func(s string) bool { return len(s) < long })
}
