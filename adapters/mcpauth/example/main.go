// Command example is an MCP server whose tools need scopes, and a client that comes
// without enough of them, is told so, and comes back:
//
//	go run ./example
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"regexp"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/m2mguard/m2mguard/adapters/mcpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	iss, err := issuertest.Start() // stands for your authorization server
	if err != nil {
		return err
	}
	defer iss.Close()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	public := "http://" + listener.Addr().String() + "/mcp" // of yours, https
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{public}}}})
	if err != nil {
		return err
	}
	defer v.Close()
	api := newServer(v, public)
	defer func() { _ = api.Close() }()
	go func() { _ = api.Serve(listener) }() // which ends with Close

	client := &caller{iss: iss, url: public, scope: "orders:read"}
	for _, tool := range []string{"list_orders", "cancel_order"} {
		said, err := client.call(ctx, tool)
		if err != nil {
			return err
		}
		fmt.Println(tool+":", said)
	}
	return nil
}

// newServer is the MCP server: all of it that a program of yours has.
func newServer(v *validator.Validator, public string) *http.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "orders", Version: "1.0.0"}, nil)
	type none struct{}
	mcp.AddTool(server, &mcp.Tool{Name: "list_orders"}, func(_ context.Context, r *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, any, error) {
		return text("orders of " + mcpauth.Token(r).ClientID()), nil, nil
	})
	mcp.AddTool(server, &mcp.Tool{Name: "cancel_order"}, func(_ context.Context, r *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, any, error) {
		const shipped = true // as the data says
		if shipped {
			if err := mcpauth.StepUp(r, scopes.All("orders:recall")); err != nil {
				return nil, nil, err
			}
		}
		return text("cancelled"), nil, nil
	})
	auth := mcpauth.New(v, mcpauth.Rules{
		Tools: map[string]scopes.Rule{
			"list_orders":  scopes.All("orders:read"),
			"cancel_order": scopes.All("orders:write"),
		},
	}, &mcpauth.Config{PublicURL: []string{public}})

	mux := http.NewServeMux()
	mux.Handle("/mcp", auth.Protect(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{
		Stateless:                    true,
		PropagateRequestCancellation: true, // a tool ends with its token
	})))
	auth.MountMetadata(mux)
	return &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second}
}

func text(said string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: said}}}
}

// caller is a client that gets a token with more scopes where a challenge asks for them.
type caller struct {
	iss   *issuertest.Issuer
	url   string
	scope string
}

// needs is what a challenge asks for.
var needs = regexp.MustCompile(`error="insufficient_scope".*scope="([^"]*)"`)

// enough is how often a client steps up for one call.
const enough = 3

func (c *caller) call(ctx context.Context, tool string) (string, error) {
	for range enough {
		transport := &challenged{token: c.iss.Token(issuertest.Claims{Scope: c.scope, Audience: []string{c.url}})}
		client := mcp.NewClient(&mcp.Implementation{Name: "orders-batch", Version: "1.0.0"}, nil)
		session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: c.url, HTTPClient: &http.Client{Transport: transport}}, nil)
		if err != nil {
			return "", err
		}
		result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: tool})
		_ = session.Close()
		asked := needs.FindStringSubmatch(transport.challenge)
		switch {
		case asked != nil:
			fmt.Printf("%s with %q needs %q\n", tool, c.scope, asked[1])
			c.scope = c.scope + " " + asked[1]
		case err != nil:
			return "", err
		default:
			return result.Content[0].(*mcp.TextContent).Text, nil
		}
	}
	return "", errors.New("the server asks for more and more")
}

// challenged adds a token, and notes the challenge of a 403.
type challenged struct {
	token     string
	challenge string
}

func (t *challenged) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+t.token)
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && res.StatusCode == http.StatusForbidden {
		t.challenge = res.Header.Get("WWW-Authenticate")
	}
	return res, err
}
