package mcpauth_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/m2mguard/m2mguard/adapters/mcpauth"
	"github.com/m2mguard/m2mguard/internal/trials/conformance"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestConformance: the list that every adapter is asked, each route a tool.
func TestConformance(t *testing.T) { conformance.Run(t, driver{}) }

type driver struct{}

// Can: calls are POSTs, each on its own, and the gates are a tool's rule and its own policy.
// New refuses a rule for nobody.
func (driver) Can(q *conformance.Request) bool {
	r := q.Route
	return q.Method == "" && q.Form == "" && r.Group == nil && r.Name != "nobody" && r.Name != "none" && (r.Gate == conformance.Require || r.Gate == conformance.Live || r.Gate == conformance.Deny)
}

func (driver) Serve(t testing.TB, s *conformance.Setup) conformance.API { return serve(t, s) }

// serve is a guarded server with a tool for each route.
func serve(t testing.TB, s *conformance.Setup) *list {
	server := mcp.NewServer(&mcp.Implementation{Name: "list", Version: "1"}, nil)
	tools := make(map[string]scopes.Rule)
	for _, route := range s.Routes {
		tools[toolOf(route)] = route.Rule
		server.AddTool(&mcp.Tool{Name: toolOf(route), InputSchema: map[string]any{"type": "object"}}, func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			token := mcpauth.Token(r)
			if route.Gate == conformance.Deny {
				if err := conformance.Decide(ctx, token); err != nil {
					return nil, mcpauth.Deny(r, err)
				}
			}
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: conformance.Said(validator.NewContext(ctx, token))}}}, nil
		})
	}
	auth := mcpauth.New(s.Validator, mcpauth.Rules{Tools: tools}, &mcpauth.Config{PublicURL: []string{conformance.PublicURL}, Audience: []string{issuertest.Audience}})
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: true})
	api := httptest.NewUnstartedServer(auth.Protect(handler))
	if s.Certificates {
		api.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
		api.StartTLS()
	} else {
		api.Start()
	}
	t.Cleanup(api.Close)
	return &list{api, s.PublicURL != ""}
}

func toolOf(r conformance.Route) string { return string(r.Gate) + "." + r.Name }

type list struct {
	*httptest.Server
	told bool // challenges tell of the metadata, as the list wants them
}

func (*list) Target(*conformance.Request) (method, url string) {
	return "POST", conformance.PublicURL + "/mcp"
}

// untold is what a challenge has where there is a PublicURL, as there is always.
var untold = regexp.MustCompile(`, resource_metadata="[^"]*"`)

func (l *list) Ask(t testing.TB, q *conformance.Request) conformance.Answer {
	h, body := request(newest, "tools/call", map[string]any{"name": toolOf(q.Route)})
	target := l.URL + "/mcp"
	if q.Query != "" {
		target += "?" + q.Query
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = h
	r.Header["Authorization"], r.Header["Dpop"] = q.Authorization, q.Proofs
	client := l.Client()
	if q.Certificate != nil {
		transport := client.Transport.(*http.Transport).Clone()
		transport.TLSClientConfig.Certificates = []tls.Certificate{*q.Certificate}
		transport.DisableKeepAlives = true
		client = &http.Client{Transport: transport}
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return l.read(t, res)
}

// read reads what came back, in the list's terms.
func (l *list) read(t testing.TB, res *http.Response) conformance.Answer {
	t.Helper()
	var answer conformance.Answer
	if res.StatusCode == http.StatusOK {
		answer = conformance.Answer{Status: 200, Nonce: res.Header.Get("Dpop-Nonce"), Said: said(t, res)}
	} else {
		answer = conformance.ReadHTTP(t, res)
	}
	if !l.told {
		answer.Challenge = untold.ReplaceAllString(answer.Challenge, "")
		if answer.Status != http.StatusForbidden {
			answer.Challenge = regexp.MustCompile(`, scope="[^"]*"`).ReplaceAllString(answer.Challenge, "")
		}
	}
	return answer
}

// said is what a tool says.
func said(t testing.TB, res *http.Response) string {
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		data, found := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		var answer struct {
			Result struct {
				Content []struct{ Text string }
				IsError bool
			}
		}
		if found && json.Unmarshal(data, &answer) == nil && len(answer.Result.Content) == 1 && !answer.Result.IsError {
			return answer.Result.Content[0].Text
		}
	}
	t.Errorf("no result: %s", text)
	return ""
}

// TestTheValidatorsClockCounts: a token that is good by the skew that the validator
// allows is good for the SDK's guard, too.
func TestTheValidatorsClockCounts(t *testing.T) {
	g := guard(t, true, nil)
	h, body := request(newest, "tools/call", map[string]any{"name": "list_orders"})
	token := g.iss.Token(issuertest.Claims{Scope: "orders:read", Audience: []string{public}, IssuedAt: time.Now().Add(-time.Minute), Expiry: time.Now().Add(-validator.DefaultClockSkew / 2)})
	if res := g.ask("POST", token, h, body); res.StatusCode != 200 {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}
