package mcpauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/m2mguard/m2mguard/adapters/mcpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

const metadataURL = "https://api.example.com/.well-known/oauth-protected-resource/mcp"

// TestChallenges: what a client is told, by MCP's authorization page (2026-07-28).
func TestChallenges(t *testing.T) {
	aud := []string{public}
	for name, tc := range map[string]struct {
		token  func(*issuertest.Issuer) string
		status int
		says   []string
		not    string
	}{
		"nothing was sent": {func(*issuertest.Issuer) string { return "" }, 401, []string{`scope="orders:read"`, `resource_metadata="` + metadataURL + `"`}, "error"},
		"expired": {func(i *issuertest.Issuer) string {
			return i.Bad(issuertest.Expired, issuertest.Claims{Scope: "orders:read", Audience: aud})
		}, 401, []string{`error="invalid_token"`, `scope="orders:read"`, metadataURL}, "insufficient"},
		"expired, and lacks the scope": {func(i *issuertest.Issuer) string { return i.Bad(issuertest.Expired, issuertest.Claims{Audience: aud}) }, 401, []string{`error="invalid_token"`}, "insufficient"},
		"for another API of the issuer": {func(i *issuertest.Issuer) string {
			return i.Token(issuertest.Claims{Scope: "orders:read", Audience: []string{"https://other.example.com"}})
		}, 401, []string{`error="invalid_token"`, metadataURL}, ""},
		"for this server's host, and not for it": {func(i *issuertest.Issuer) string {
			return i.Token(issuertest.Claims{Scope: "orders:read", Audience: []string{"https://api.example.com"}})
		}, 401, []string{`error="invalid_token"`}, ""},
		"without the scope": {func(i *issuertest.Issuer) string { return i.Token(issuertest.Claims{Scope: "other", Audience: aud}) }, 403, []string{`error="insufficient_scope"`, `scope="orders:read"`, metadataURL}, ""},
		"two tokens": {func(i *issuertest.Issuer) string {
			one := i.Token(issuertest.Claims{Audience: aud})
			return one + ", Bearer " + one
		}, 400, []string{`error="invalid_request"`}, ""},
		"good": {func(i *issuertest.Issuer) string {
			return i.Token(issuertest.Claims{Scope: "orders:read", Audience: aud})
		}, 200, nil, "Bearer"},
	} {
		t.Run(name, func(t *testing.T) {
			g := guard(t, true, nil)
			h, body := request(newest, "tools/call", map[string]any{"name": "list_orders"})
			res := g.ask("POST", tc.token(g.iss), h, body)
			said := res.Header.Get("WWW-Authenticate")
			if res.StatusCode != tc.status || tc.not != "" && strings.Contains(said, tc.not) {
				t.Errorf("%d %s", res.StatusCode, said)
			}
			for _, want := range tc.says {
				if !strings.Contains(said, want) {
					t.Errorf("%s, wanted %s in it", said, want)
				}
			}
			if ran := g.took(); (ran != nil) != (tc.status == 200) {
				t.Errorf("%q ran", ran)
			}
		})
	}
}

// TestKeysMissing: it is nobody's fault, and no 500.
func TestKeysMissing(t *testing.T) {
	g := guard(t, true, nil)
	g.iss.SetFault(issuertest.JWKS, issuertest.ServerError())
	h, body := request(newest, "tools/call", map[string]any{"name": "list_orders"})
	res := g.ask("POST", g.token("orders:read"), h, body)
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || res.Header.Get("WWW-Authenticate") != "" || g.took() != nil {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}

// TestQueryIsNoPlaceForTokens.
func TestQueryIsNoPlaceForTokens(t *testing.T) {
	g := guard(t, true, nil)
	h, body := request(newest, "tools/call", map[string]any{"name": "list_orders"})
	r := httptest.NewRequest("POST", public+"?access_token="+g.token("orders:read"), strings.NewReader(body))
	r.Header = h
	w := httptest.NewRecorder()
	g.api.ServeHTTP(w, r)
	if w.Code != 401 || g.took() != nil {
		t.Errorf("%d", w.Code)
	}
}

// TestMetadata says what challenges point at.
func TestMetadata(t *testing.T) {
	g := guard(t, true, func(_ *validator.Config, _ *mcpauth.Rules, cfg *mcpauth.Config) {
		cfg.HTTP.Metadata.Scopes = []string{"orders:read"}
	})
	r := httptest.NewRequest("GET", metadataURL, nil)
	w := httptest.NewRecorder()
	g.api.ServeHTTP(w, r)
	var got struct {
		Resource string
		Servers  []string `json:"authorization_servers"`
		Scopes   []string `json:"scopes_supported"`
		Methods  []string `json:"bearer_methods_supported"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || got.Resource != public || len(got.Servers) != 1 || got.Servers[0] != g.iss.URL() || len(got.Scopes) != 1 || got.Methods[0] != "header" {
		t.Errorf("%d %s: %v", w.Code, w.Body, err)
	}
	if g.auth.MetadataPath() != strings.TrimPrefix(metadataURL, "https://api.example.com") {
		t.Error(g.auth.MetadataPath())
	}
}

// TestNoTokenIsPassedOn: neither the server's handler nor a tool sees it, in any field,
// nor the proof of one.
func TestNoTokenIsPassedOn(t *testing.T) {
	g := guard(t, true, nil)
	token := g.token("orders:read")
	looked := 0
	look := func(h http.Header) {
		looked++
		for name, values := range h {
			if strings.Contains(strings.Join(values, " "), token) || name == "Authorization" || name == "Dpop" {
				t.Errorf("%s: %q", name, values)
			}
		}
	}
	g.seen = func(r *http.Request) { look(r.Header) }
	g.during = func(ctx context.Context, r *mcp.CallToolRequest) error {
		look(r.Extra.Header)
		info := auth.TokenInfoFromContext(ctx)
		if info != r.Extra.TokenInfo || len(info.Scopes) != 1 || info.Scopes[0] != "orders:read" || !info.Expiration.Equal(mcpauth.Token(r).Expiry()) || info.UserID == "" {
			t.Errorf("%+v", info)
		}
		if text, err := json.Marshal(info); err != nil || strings.Contains(string(text), token) {
			t.Errorf("%s, %v", text, err)
		}
		if validator.FromContext(ctx) != nil {
			t.Error("the context holds a token, which may be another request's")
		}
		return nil
	}
	h, body := request(newest, "tools/call", map[string]any{"name": "ask"})
	h.Set("Dpop", "a proof")
	if res := g.ask("POST", token, h, body); res.StatusCode != 200 || looked != 2 {
		t.Errorf("%d, looked %d times", res.StatusCode, looked)
	}
}

// TestStepUp: a tool that finds out late what it needs, in each way of the SDK to answer.
func TestStepUp(t *testing.T) {
	for name, tc := range map[string]struct {
		stateless bool
		version   string
		first     bool // the tool says something before
		err       func(*mcp.CallToolRequest) error
		status    int
		says      string
	}{
		"a scope is missing":           {true, newest, false, nil, 403, `scope="orders:write orders:admin", resource_metadata="` + metadataURL + `"`},
		"of an older revision":         {true, older, false, nil, 403, `scope="orders:write orders:admin"`},
		"in a session":                 {false, older, false, nil, 403, `scope="orders:write orders:admin"`},
		"after something was said":     {true, newest, true, nil, 200, ""},
		"it is there":                  {true, newest, false, func(r *mcp.CallToolRequest) error { return mcpauth.StepUp(r, scopes.All("orders:read")) }, 200, ""},
		"the API's policy says no":     {true, newest, false, func(r *mcp.CallToolRequest) error { return mcpauth.Deny(r, errors.New("frozen")) }, 403, ""},
		"the API's policy cannot say":  {true, newest, false, func(r *mcp.CallToolRequest) error { return mcpauth.Deny(r, validator.ErrUnavailable) }, 503, ""},
		"and says no without a reason": {false, older, false, func(r *mcp.CallToolRequest) error { return mcpauth.Deny(r, nil) }, 403, ""},
		"the first no of two is the answer": {true, newest, false, func(r *mcp.CallToolRequest) error {
			_ = mcpauth.Deny(r, nil)
			return mcpauth.StepUp(r, scopes.All("orders:admin"))
		}, 403, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := guard(t, tc.stateless, func(_ *validator.Config, r *mcpauth.Rules, _ *mcpauth.Config) {
				r.Tools["ask"] = scopes.All("orders:write")
			})
			token := g.token("orders:read orders:write")
			h, body := request(tc.version, "tools/call", map[string]any{"name": "ask"})
			if !tc.stateless {
				h.Set("Mcp-Session-Id", g.session(token))
			}
			g.during = func(ctx context.Context, r *mcp.CallToolRequest) error {
				if tc.first {
					_ = r.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: "x", Progress: 1})
				}
				if tc.err != nil {
					return tc.err(r)
				}
				return mcpauth.StepUp(r, scopes.All("orders:admin"))
			}
			res := g.ask("POST", token, h, body)
			said := res.Header.Get("WWW-Authenticate")
			text, _ := io.ReadAll(res.Body)
			if res.StatusCode != tc.status || !strings.Contains(said, tc.says) || (tc.says == "") != (said == "") || strings.Contains(string(text), "frozen") {
				t.Errorf("%d %s %s, wanted %d and %s", res.StatusCode, said, text, tc.status, tc.says)
			}
			if tc.status != 200 && (res.Header.Get("Content-Type") != "application/json" || strings.Contains(string(text), "jsonrpc")) {
				t.Errorf("%v %s", res.Header, text)
			}
			if tc.first && !strings.Contains(string(text), "insufficient_scope") {
				t.Errorf("the client is not told: %s", text)
			}
			if e := g.last(); tc.status == 403 && (e.Route != "tools/call ask" || e.Client.Text != "m2m-client") {
				t.Errorf("the observer was told %+v", e)
			}
		})
	}
}

// TestOutside: where there is no middleware, nobody is let in by its functions.
func TestOutside(t *testing.T) {
	for name, r := range map[string]mcp.Request{
		"none": nil, "no extra": &mcp.CallToolRequest{}, "no token": &mcp.CallToolRequest{Extra: &mcp.RequestExtra{}},
		"another's": &mcp.CallToolRequest{Extra: &mcp.RequestExtra{TokenInfo: &auth.TokenInfo{Extra: map[string]any{"m2mguard": "x"}}}},
	} {
		if mcpauth.Token(r) != nil || mcpauth.StepUp(r, scopes.AnyToken()) == nil || mcpauth.Deny(r, nil) == nil {
			t.Errorf("%s: passes", name)
		}
	}
}
