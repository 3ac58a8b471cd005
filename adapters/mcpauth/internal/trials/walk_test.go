//go:build interop

package trials_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/m2mguard/m2mguard/adapters/mcpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// step is a request that a client sent, and what came back.
type step struct {
	Method, Path, Does, Challenge, Fields, Scope, Resource string
	Status                                                 int
}

// walk is what a client has been through.
type walk struct {
	Results []string
	Steps   []step
}

// server is a guarded one with the tools "read" and "write", and "late", which finds out
// by itself that it needs what write needs.
func server(t *testing.T, iss *issuertest.Issuer, stateless bool, base scopes.Rule, published []string, elsewhere bool) string {
	t.Helper()
	mux := http.NewServeMux()
	api := httptest.NewServer(mux)
	t.Cleanup(api.Close)
	public := api.URL + "/mcp"
	if elsewhere { // it is found there, too, but clients go by the name
		public = strings.Replace(public, "127.0.0.1", "localhost", 1)
	}
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{public}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	write := scopes.All("mcp:write")
	cfg := &mcpauth.Config{PublicURL: []string{public}}
	cfg.HTTP.Metadata.Scopes = published
	auth := mcpauth.New(v, mcpauth.Rules{Base: &base, Tools: map[string]scopes.Rule{"read": scopes.AnyToken(), "late": scopes.AnyToken(), "write": write}}, cfg)
	orders := mcp.NewServer(&mcp.Implementation{Name: "walk", Version: "1"}, nil)
	for _, name := range []string{"read", "write", "late"} {
		orders.AddTool(&mcp.Tool{Name: name, InputSchema: map[string]any{"type": "object"}}, func(_ context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			if name == "late" {
				if err := mcpauth.StepUp(r, write); err != nil {
					return nil, err
				}
			}
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: name + " by " + mcpauth.Token(r).ClientID()}}}, nil
		})
	}
	mux.Handle("/mcp", auth.Protect(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return orders }, &mcp.StreamableHTTPOptions{Stateless: stateless})))
	auth.MountMetadata(mux)
	return api.URL + "/mcp"
}

// TestClientsWalk: what the suite's auth scenarios expect of clients is what a guarded
// server gets them to do: metadata by the challenge, the scope that it names, more of it
// when an operation needs more, and no end of trying where that is never granted.
func TestClientsWalk(t *testing.T) {
	basic := scopes.All("mcp:basic")
	for name, tc := range map[string]struct {
		base      scopes.Rule
		published []string
		grants    []string // nil: whatever is asked
		tools     []string
		results   []string // how each begins
		asked     []string // scopes, in order
	}{
		"scope from the challenge (auth/scope-from-www-authenticate)": {
			basic, nil, nil, []string{"read"}, []string{"read by"}, []string{"mcp:basic"},
		},
		"scope from the metadata (auth/scope-from-scopes-supported)": {
			scopes.AnyToken(), []string{"mcp:basic", "mcp:more"}, nil, []string{"read"}, []string{"read by"}, []string{"mcp:basic mcp:more"},
		},
		"no scope at all (auth/scope-omitted-when-undefined)": {
			scopes.AnyToken(), nil, nil, []string{"read"}, []string{"read by"}, []string{""},
		},
		"step-up (auth/scope-step-up)": {
			basic, nil, nil, []string{"read", "write", "write"}, []string{"read by", "write by", "write by"}, []string{"mcp:basic", "mcp:basic mcp:write"},
		},
		"step-up from within a tool": {
			basic, nil, nil, []string{"read", "late", "write"}, []string{"read by", "late by", "write by"}, []string{"mcp:basic", "mcp:basic mcp:write"},
		},
		"a scope that is never granted (auth/scope-retry-limit)": {
			basic, nil, []string{"mcp:basic"}, []string{"write", "read"}, []string{"", "read by"}, nil,
		},
	} {
		for _, client := range []string{"sdk", "client"} {
			t.Run(name+", "+client, func(t *testing.T) {
				iss := issuertest.New(t)
				url := server(t, iss, client == "client", tc.base, tc.published, false)
				iss.Register(issuertest.ClientRegistration{ID: "walker", Secret: "a secret of the walker", Audience: []string{url}, Scopes: tc.grants})
				w := walked(t, client, url, tc.tools)
				if len(w.Results) != len(tc.results) {
					t.Fatalf("%q: %+v", w.Results, w.Steps)
				}
				for n, want := range tc.results {
					if !strings.HasPrefix(w.Results[n], want) || want == "" && strings.Contains(w.Results[n], " by ") {
						t.Errorf("%s: %q, wanted %q", tc.tools[n], w.Results[n], want)
					}
				}
				asked := tc.asked
				if client == "sdk" && tc.published != nil {
					asked = []string{""} // its provider does not go by the metadata
				}
				w.check(t, iss, url, client, asked)
				t.Logf("%d requests, %q", len(w.Steps), w.Results)
			})
		}
	}
}

// check is what holds for each walk.
func (w *walk) check(t *testing.T, iss *issuertest.Issuer, url, client string, asked []string) {
	t.Helper()
	first := w.Steps[0]
	if first.Status != 401 || strings.Contains(first.Challenge, "error") || !strings.Contains(first.Challenge, `resource_metadata="`+strings.Replace(url, "/mcp", "/.well-known/oauth-protected-resource/mcp", 1)+`"`) {
		t.Errorf("the first request is answered %+v", first)
	}
	if second := w.Steps[1]; second.Path != "/.well-known/oauth-protected-resource/mcp" || second.Status != 200 {
		t.Errorf("then the client asked for %+v", second)
	}
	var tokens []string
	refused := 0
	for _, s := range w.Steps {
		if strings.HasSuffix(iss.TokenURL(), s.Path) {
			tokens = append(tokens, s.Scope)
			if s.Resource != url {
				t.Errorf("a token was asked for %q", s.Resource)
			}
		}
		if s.Status == 403 {
			refused++
			if !strings.Contains(s.Challenge, `error="insufficient_scope"`) || !strings.Contains(s.Challenge, `scope="mcp:basic mcp:write"`) || !strings.Contains(s.Challenge, "resource_metadata=") {
				t.Errorf("a 403 says %s", s.Challenge)
			}
		}
		if s.Path == "/mcp" && client == "client" && s.Method == "POST" && s.Does != "" && !strings.HasPrefix(s.Fields, s.Does) {
			t.Errorf("a request of the newest revision without its fields: %+v", s)
		}
	}
	if asked != nil && fmt.Sprint(tokens) != fmt.Sprint(asked) {
		t.Errorf("the scopes asked for are %q, wanted %q", tokens, asked)
	}
	if refused > 5 {
		t.Errorf("refused %d times, and tried on", refused)
	}
}

// TestClientsRefuseAnotherResource (auth/resource-mismatch): a server that is configured
// as another one gets no token.
func TestClientsRefuseAnotherResource(t *testing.T) {
	for _, client := range []string{"sdk", "client"} {
		iss := issuertest.New(t)
		url := server(t, iss, true, scopes.AnyToken(), nil, true)
		w := walked(t, client, url, []string{"read"})
		if len(w.Results) != 1 || !strings.HasPrefix(w.Results[0], "connect: ") {
			t.Errorf("%s: %q", client, w.Results)
		}
		for _, s := range w.Steps {
			if strings.HasSuffix(iss.TokenURL(), s.Path) {
				t.Errorf("%s asked for a token: %+v", client, s)
			}
		}
	}
}

// walked runs a client.
func walked(t *testing.T, client, url string, tools []string) (w walk) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	asked, err := json.Marshal(map[string]any{"client": client, "url": url, "id": "walker", "secret": "a secret of the walker", "tools": tools})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, node(t), "walk.mjs")
	cmd.Stdin = bytes.NewReader(asked)
	if err := json.Unmarshal(output(t, cmd), &w); err != nil {
		t.Fatal(err)
	}
	if len(w.Steps) < 2 {
		t.Fatalf("%+v", w)
	}
	return w
}
