//go:build interop

package mcpauth_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/internal/trials/conformance"
)

// TestConformanceInTypeScript: the list, asked by the transports of MCP's TypeScript SDKs
// (internal/trials, after npm ci): @modelcontextprotocol/client with the fields of
// 2026-07-28, and @modelcontextprotocol/sdk with 2025-11-25, which has none of them.
func TestConformanceInTypeScript(t *testing.T) {
	for _, version := range []string{newest, older} {
		t.Run(version, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "node", "list.mjs")
			cmd.Dir = "internal/trials"
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = in.Close()
				_ = cmd.Wait()
			}()
			replies := bufio.NewScanner(out)
			replies.Buffer(nil, 1<<20)
			conformance.Run(t, &typescript{version: version, in: json.NewEncoder(in), replies: replies})
		})
	}
}

// typescript asks through Node, one request after another.
type typescript struct {
	driver
	version string
	in      *json.Encoder
	replies *bufio.Scanner
}

// Can: fetch sends one line of a field, and cuts what is around it.
func (d *typescript) Can(q *conformance.Request) bool {
	return d.driver.Can(q) && len(q.Authorization) < 2 && q.Certificate == nil && q.Plain() &&
		(q.Authorization == nil || strings.TrimSpace(q.Authorization[0]) == q.Authorization[0])
}

func (d *typescript) Serve(t testing.TB, s *conformance.Setup) conformance.API {
	return &asked{serve(t, s), d}
}

type asked struct {
	*list
	by *typescript
}

func (a *asked) Ask(t testing.TB, q *conformance.Request) conformance.Answer {
	if len(q.Proofs) > 1 || a.TLS != nil { // which fetch makes one field of, and trusts no certificate of
		return a.list.Ask(t, q)
	}
	h := make(map[string]string)
	if q.Authorization != nil {
		h["Authorization"] = q.Authorization[0]
	}
	if q.Proofs != nil {
		h["DPoP"] = q.Proofs[0]
	}
	target := a.URL + "/mcp"
	if q.Query != "" {
		target += "?" + q.Query
	}
	_, body := request(a.by.version, "tools/call", map[string]any{"name": toolOf(q.Route)})
	if err := a.by.in.Encode(map[string]any{"url": target, "headers": h, "version": a.by.version, "message": json.RawMessage(body)}); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Status                int
		Headers               map[string]string
		Body, Fields, Trouble string
	}
	if !a.by.replies.Scan() {
		t.Fatal("no reply")
	}
	if err := json.Unmarshal(a.by.replies.Bytes(), &got); err != nil || got.Status == 0 {
		t.Fatalf("%s: %v", a.by.replies.Bytes(), err)
	}
	if want := map[string]string{newest: toolOf(q.Route)}[a.by.version]; got.Fields != want {
		t.Errorf("Mcp-Name is %q, wanted %q", got.Fields, want)
	}
	res := &http.Response{StatusCode: got.Status, Header: make(http.Header), Body: io.NopCloser(strings.NewReader(got.Body)), Request: &http.Request{Method: http.MethodPost}}
	for name, value := range got.Headers {
		res.Header.Set(name, value)
	}
	answer := a.read(t, res)
	if a.by.version != newest && answer.Status != http.StatusForbidden { // the body, which names the tool, was not read
		answer.Challenge = addNeeds(answer.Challenge, a.told, q)
	}
	return answer
}

// addNeeds has a challenge name the scopes that the list wants in it.
func addNeeds(challenge string, told bool, q *conformance.Request) string {
	if !told || q.Route.Rule.Needs() == "" || strings.Contains(challenge, "scope=") {
		return challenge
	}
	return regexp.MustCompile(`, resource_metadata=`).ReplaceAllString(challenge, `, scope="`+q.Route.Rule.Needs()+`", resource_metadata=`)
}
