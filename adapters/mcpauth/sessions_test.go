package mcpauth_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/m2mguard/m2mguard/adapters/mcpauth"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// session opens one.
func (g *guarded) session(token string) string {
	g.t.Helper()
	h, body := request(older, "initialize", map[string]any{"protocolVersion": older, "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "x", "version": "1"}})
	res := g.ask("POST", token, h, body)
	id := res.Header.Get("Mcp-Session-Id")
	if res.StatusCode != 200 || id == "" {
		g.t.Fatalf("initialize: %d %v", res.StatusCode, res.Header)
	}
	h.Set("Mcp-Session-Id", id)
	res = g.ask("POST", token, h, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	if res.StatusCode != 202 {
		g.t.Fatalf("initialized: %d", res.StatusCode)
	}
	return id
}

// TestSessionsAreTheirClients: another client, another user of it, or the same names of
// another issuer, cannot use a session, follow it or end it.
func TestSessionsAreTheirClients(t *testing.T) {
	var second *issuertest.Issuer
	g := guard(t, false, func(c *validator.Config, _ *mcpauth.Rules, _ *mcpauth.Config) {
		second = issuertest.New(t)
		c.Issuers = append(c.Issuers, validator.Issuer{URL: second.URL(), Audience: []string{public}})
	})
	claims := func(client, subject string) issuertest.Claims {
		return issuertest.Claims{ClientID: client, Subject: subject, Scope: "orders:read", Audience: []string{public}}
	}
	owner := g.iss.Token(claims("a b", "c"))
	id := g.session(owner)
	h, body := request(older, "tools/call", map[string]any{"name": "list_orders"})
	h.Set("Mcp-Session-Id", id)
	for name, token := range map[string]string{
		"another client":                   g.iss.Token(claims("b", "c")),
		"another user":                     g.iss.Token(claims("a b", "d")),
		"names that look like it together": g.iss.Token(claims("a", "b c")),
		"the same names of another issuer": second.Token(claims("a b", "c")),
	} {
		for _, method := range []string{"POST", "GET", "DELETE"} {
			sent := body
			if method != "POST" {
				sent = ""
			}
			res := g.ask(method, token, h, sent)
			if res.StatusCode != 403 || g.took() != nil {
				t.Errorf("%s, %s: %d", name, method, res.StatusCode)
			}
		}
	}
	// A new token of the same client goes on, and is the one that a tool sees.
	g.during = func(_ context.Context, r *mcp.CallToolRequest) error {
		if got := mcpauth.Token(r).Scopes().String(); got != "orders:write" {
			t.Errorf("a tool sees %q", got)
		}
		return nil
	}
	wider := claims("a b", "c")
	wider.Scope = "orders:write"
	ha, ask := request(older, "tools/call", map[string]any{"name": "ask"})
	ha.Set("Mcp-Session-Id", id)
	if res := g.ask("POST", g.iss.Token(wider), ha, ask); res.StatusCode != 200 || len(g.took()) != 1 {
		t.Errorf("the owner's new token: %d", res.StatusCode)
	}
	if res := g.ask("POST", g.iss.Token(wider), h, body); res.StatusCode != 403 || g.took() != nil {
		t.Errorf("which lacks what the first one had: %d", res.StatusCode)
	}
	if res := g.ask("DELETE", owner, h, ""); res.StatusCode != 204 {
		t.Errorf("the owner's end: %d", res.StatusCode)
	}
}

// TestStreamsEndWithTheirToken, over real connections: a client is revoked while it
// listens, in a session and without, and cannot come back.
func TestStreamsEndWithTheirToken(t *testing.T) {
	for name, stateless := range map[string]bool{"a stream of a session": false, "a subscription": true} {
		t.Run(name, func(t *testing.T) {
			list, err := revocation.New(revocation.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer list.Close()
			list.Current(time.Now())
			g := guard(t, stateless, func(c *validator.Config, _ *mcpauth.Rules, _ *mcpauth.Config) { c.Revocations = list })
			api := httptest.NewServer(g.api)
			defer api.Close()
			token := g.token("orders:read")
			method, body := "POST", ""
			h := http.Header{}
			if stateless {
				h, body = request(newest, "subscriptions/listen", map[string]any{"notifications": map[string]any{"resourceSubscriptions": []string{"orders://all"}}})
			} else {
				method = "GET"
				h.Set("Accept", "text/event-stream")
				h.Set("Mcp-Session-Id", g.session(token))
			}
			open := func() *http.Response {
				r, err := http.NewRequestWithContext(t.Context(), method, api.URL+"/mcp", strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header = h.Clone()
				r.Header.Set("Authorization", "Bearer "+token)
				res, err := api.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				return res
			}
			stream := open()
			defer func() { _ = stream.Body.Close() }()
			lines := bufio.NewScanner(stream.Body)
			if stream.StatusCode != 200 || !lines.Scan() {
				t.Fatalf("%d: nothing came", stream.StatusCode)
			}
			block, err := list.Record(revocation.Block(revocation.Client(g.iss.URL(), issuertest.ClientID)), 1)
			if err != nil {
				t.Fatal(err)
			}
			if err := list.Merge(block); err != nil {
				t.Fatal(err)
			}
			for lines.Scan() { // until the stream ends
			}
			again := open()
			_ = again.Body.Close()
			if again.StatusCode != 401 || !strings.Contains(again.Header.Get("WWW-Authenticate"), "invalid_token") {
				t.Errorf("and again: %d", again.StatusCode)
			}
		})
	}
}

// TestStreamsExpire, in a bubble's time: a token of a minute carries no stream longer
// than that and the skew, whatever a client has sent in the meantime.
func TestStreamsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{public}, Keys: &jwks.Config{HTTPClient: iss.Client()}}}})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		server := mcp.NewServer(&mcp.Implementation{Name: "x", Version: "1"}, nil)
		began := time.Now()
		tool := make(chan time.Duration, 1)
		server.AddTool(&mcp.Tool{Name: "wait", InputSchema: map[string]any{"type": "object"}}, func(ctx context.Context, _ *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			<-ctx.Done()
			tool <- time.Since(began)
			return nil, ctx.Err()
		})
		auth := mcpauth.New(v, mcpauth.Rules{Tools: map[string]scopes.Rule{"wait": scopes.AnyToken()}}, &mcpauth.Config{PublicURL: []string{public}})
		api := auth.Protect(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: true, PropagateRequestCancellation: true}))
		h, body := request(newest, "tools/call", map[string]any{"name": "wait"})
		h.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{Audience: []string{public}, ExpiresIn: time.Minute}))
		r := httptest.NewRequest("POST", public, strings.NewReader(body))
		r.Header = h
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		synctest.Wait()
		least, most := time.Minute, time.Minute+validator.DefaultClockSkew+2*time.Second
		if took := time.Since(began); took < least || took > most {
			t.Errorf("the answer ended after %v, wanted %v to %v", took, least, most)
		}
		if took := <-tool; took < least || took > most {
			t.Errorf("the tool ended after %v", took)
		}
	})
}
