package mcpauth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/m2mguard/m2mguard/adapters/mcpauth"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

const (
	public = "https://api.example.com/mcp"
	newest = "2026-07-28"
	older  = "2025-11-25"
	oldest = "2025-03-26"
)

// rules of the server that most tests ask.
func rules() mcpauth.Rules {
	return mcpauth.Rules{
		Tools: map[string]scopes.Rule{
			"list_orders": scopes.All("orders:read"),
			"delete_all":  scopes.All("orders:admin", "orders:write"),
			"größe":       scopes.All("orders:read"),
			"ask":         scopes.AnyToken(),
		},
		Prompts: map[string]scopes.Rule{"summary": scopes.All("orders:read")},
		Resources: map[string]scopes.Rule{
			"orders://all":            scopes.All("orders:read"),
			"orders://one/{id}":       scopes.All("orders:read"),
			"orders://one/secret{+x}": scopes.All("orders:admin"),
		},
		Methods: map[string]scopes.Rule{"acme/export": scopes.All("orders:admin")},
	}
}

// guarded is an MCP server behind a middleware.
type guarded struct {
	t      *testing.T
	iss    *issuertest.Issuer
	auth   *mcpauth.Middleware
	api    http.Handler
	mu     sync.Mutex
	ran    []string // what tools, prompts and resources did
	events []observe.Event
	// during is what the tool "ask" does.
	during func(context.Context, *mcp.CallToolRequest) error
	seen   func(*http.Request) // what the SDK's handler gets
}

func (g *guarded) note(what string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ran = append(g.ran, what)
}

func (g *guarded) took() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	ran := g.ran
	g.ran = nil
	return ran
}

func (g *guarded) Event(_ context.Context, e *observe.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.events = append(g.events, *e)
}

// last is the last refusal that the observer was told of. What it hears of issuers
// comes when it comes.
func (g *guarded) last() (last observe.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range g.events {
		if e.Kind == observe.Refused {
			last = e
		}
	}
	return last
}

// newServer is an MCP server with two tools, a prompt, a resource and a method of its own.
func (g *guarded) newServer() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "orders", Version: "1"}, &mcp.ServerOptions{
		CompletionHandler: func(context.Context, *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
			g.note("completion")
			return &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: []string{"x"}}}, nil
		},
		SubscribeHandler:   func(context.Context, *mcp.SubscribeRequest) error { g.note("subscribe"); return nil },
		UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
	})
	for _, name := range []string{"list_orders", "delete_all", "größe", "forgotten", "ask"} {
		s.AddTool(&mcp.Tool{Name: name, InputSchema: map[string]any{"type": "object"}}, func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			g.note(name + " for " + mcpauth.Token(r).ClientID())
			if name == "ask" && g.during != nil {
				if err := g.during(ctx, r); err != nil {
					return nil, err
				}
			}
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "done"}}}, nil
		})
	}
	s.AddPrompt(&mcp.Prompt{Name: "summary"}, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		g.note("summary")
		return &mcp.GetPromptResult{}, nil
	})
	read := func(_ context.Context, r *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		g.note("read " + r.Params.URI)
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: r.Params.URI, Text: "x"}}}, nil
	}
	s.AddResource(&mcp.Resource{Name: "all", URI: "orders://all"}, read)
	s.AddResource(&mcp.Resource{Name: "hidden", URI: "orders://hidden"}, read)
	s.AddResourceTemplate(&mcp.ResourceTemplate{Name: "one", URITemplate: "orders://one/{+id}"}, read)
	for _, method := range []string{"acme/export", "acme/forgotten"} {
		err := mcp.AddReceivingCustomMethod(s, method, func(context.Context, *mcp.ServerSession, *customParams) (*customResult, error) {
			g.note(method)
			return &customResult{}, nil
		})
		if err != nil {
			g.t.Fatal(err)
		}
	}
	return s
}

type (
	customParams struct{ mcp.ParamsBase }
	customResult struct{ mcp.ResultBase }
)

// guard makes a server, stateless or with sessions.
func guard(t *testing.T, stateless bool, change func(*validator.Config, *mcpauth.Rules, *mcpauth.Config)) *guarded {
	t.Helper()
	g := &guarded{t: t, iss: issuertest.New(t)}
	vc := validator.Config{
		Issuers:  []validator.Issuer{{URL: g.iss.URL(), Audience: []string{public, "https://other.example.com"}}},
		Observer: observe.Observer{Event: g.Event},
	}
	rs, cfg := rules(), &mcpauth.Config{PublicURL: []string{public}}
	if change != nil {
		change(&vc, &rs, cfg)
	}
	v, err := validator.New(vc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	g.auth = mcpauth.New(v, rs, cfg)
	server := g.newServer()
	sdk := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: stateless, PropagateRequestCancellation: true})
	mux := http.NewServeMux()
	mux.Handle("/mcp", g.auth.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.seen != nil {
			g.seen(r)
		}
		sdk.ServeHTTP(w, r)
	})))
	g.auth.MountMetadata(mux)
	g.api = mux
	return g
}

// token is one for this server.
func (g *guarded) token(scope string) string {
	return g.iss.Token(issuertest.Claims{Scope: scope, Audience: []string{public}})
}

// message is a JSON-RPC request of a revision, with its fields.
func request(version, method string, params map[string]any) (http.Header, string) {
	h := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
	if version != oldest {
		h.Set("Mcp-Protocol-Version", version)
	}
	if version == newest {
		if params == nil {
			params = map[string]any{}
		}
		params["_meta"] = map[string]any{"io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": map[string]any{}}
		h.Set("Mcp-Method", method)
		for _, member := range []string{"name", "uri"} {
			if name, ok := params[member].(string); ok {
				h.Set("Mcp-Name", name)
			}
		}
	}
	text, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		panic(err)
	}
	return h, string(text)
}

// ask sends a request and returns the answer.
func (g *guarded) ask(httpMethod, token string, h http.Header, body string) *http.Response {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), 10*time.Second) // for what should have been refused, and streams
	defer cancel()
	r := httptest.NewRequest("POST", public, strings.NewReader(body)).WithContext(ctx)
	r.Method = httpMethod
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	for name, values := range h {
		r.Header[name] = slices.Clone(values)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	g.api.ServeHTTP(w, r)
	return w.Result()
}

// code is the code of the JSON-RPC error in an answer, or 0.
func code(t *testing.T, res *http.Response) (code int, id string) {
	t.Helper()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	res.Body = io.NopCloser(bytes.NewReader(text))
	var answer struct {
		ID    json.RawMessage
		Error struct{ Code int }
	}
	_ = json.Unmarshal(text, &answer)
	return answer.Error.Code, string(answer.ID)
}
