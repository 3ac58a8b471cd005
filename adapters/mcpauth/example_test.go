package mcpauth_test

import (
	"context"
	"fmt"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/m2mguard/m2mguard/adapters/mcpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func Example() {
	iss, err := issuertest.Start() // stands for your authorization server
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()
	const url = "https://api.example.com/mcp"
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{url}}}})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	server := mcp.NewServer(&mcp.Implementation{Name: "orders", Version: "1.0.0"}, nil)
	for _, name := range []string{"list_orders", "delete_all"} {
		mcp.AddTool(server, &mcp.Tool{Name: name}, func(_ context.Context, r *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "done for " + mcpauth.Token(r).ClientID()}}}, nil, nil
		})
	}
	auth := mcpauth.New(v, mcpauth.Rules{
		Tools: map[string]scopes.Rule{"list_orders": scopes.All("orders:read"), "delete_all": scopes.All("orders:admin")},
	}, &mcpauth.Config{PublicURL: []string{url}})
	mux := http.NewServeMux()
	mux.Handle("/mcp", auth.Protect(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true})))
	auth.MountMetadata(mux)

	call := func(token, header, tool string) {
		r := httptest.NewRequest("POST", url, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"`+tool+`","arguments":{},
			"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`))
		for name, value := range map[string]string{
			"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
			"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": header,
		} {
			r.Header.Set(name, value)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(strings.TrimSpace(fmt.Sprint(w.Code, " ", w.Header().Get("WWW-Authenticate"))))
		if w.Code == http.StatusBadRequest {
			fmt.Print(w.Body)
		}
	}
	token := iss.Token(issuertest.Claims{Scope: "orders:read", Audience: []string{url}})
	call("", "list_orders", "list_orders")
	call(token, "list_orders", "list_orders")
	call(token, "delete_all", "delete_all")
	call(token, "list_orders", "delete_all")
	// Output:
	// 401 Bearer realm="api", scope="orders:read", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/mcp"
	// 200
	// 403 Bearer realm="api", error="insufficient_scope", error_description="The access token lacks a scope that this request needs.", scope="orders:admin", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/mcp"
	// 400
	// {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"Header mismatch: Mcp-Name is not what the body names."}}
}

// A test of yours finds the tools that nobody gave a rule, and rules of tools that are gone.
func ExampleRules() {
	server := mcp.NewServer(&mcp.Implementation{Name: "orders", Version: "1.0.0"}, nil)
	for _, name := range []string{"list_orders", "forgotten"} {
		mcp.AddTool(server, &mcp.Tool{Name: name}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{}, nil, nil
		})
	}
	rules := mcpauth.Rules{Tools: map[string]scopes.Rule{"list_orders": scopes.All("orders:read"), "gone": scopes.All("orders:write")}}

	ctx := context.Background()
	clientEnd, serverEnd := mcp.NewInMemoryTransports()
	if _, err := server.Connect(ctx, serverEnd, nil); err != nil {
		log.Fatal(err)
	}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "test"}, nil).Connect(ctx, clientEnd, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	stale := maps.Clone(rules.Tools)
	for tool, err := range session.Tools(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		if _, has := rules.Tools[tool.Name]; !has {
			fmt.Printf("tool %q has no rule\n", tool.Name)
		}
		delete(stale, tool.Name)
	}
	for name := range stale {
		fmt.Printf("the rule of %q is of no tool\n", name)
	}
	// Output:
	// tool "forgotten" has no rule
	// the rule of "gone" is of no tool
}
