package mcpauth_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/adapters/mcpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestNamesStayWithTheClient: what a client calls something may be a credential in the
// wrong place. No event holds it.
func TestNamesStayWithTheClient(t *testing.T) {
	const secret = "s3cr3t-opaque-value"
	for method, params := range map[string]map[string]any{
		"resources/read":       {"uri": "orders://all?access_token=" + secret},
		"resources/subscribe":  {"uri": "https://u:" + secret + "@a"},
		"tools/call":           {"name": secret},
		"prompts/get":          {"name": secret},
		"completion/complete":  {"ref": map[string]any{"type": "ref/resource", "uri": secret}},
		"subscriptions/listen": {"notifications": map[string]any{"resourceSubscriptions": []string{secret}}},
		"acme/" + secret:       {},
	} {
		g := before(t, rules())
		h, body := request(older, method, params)
		res := g.ask("POST", g.token("orders:read"), h, body)
		e := g.last()
		if said := fmt.Sprint(e.Err, e); res.StatusCode/100 != 4 || e.Err == nil || strings.Contains(said, secret) || !strings.Contains(said, "no rule") {
			t.Errorf("%s: %d, and the observer is told %s", method, res.StatusCode, said)
		}
	}
}

// TestManyResources: how much a request names is bounded over all of its messages, in
// number and in length, and what an honest client subscribes to passes.
func TestManyResources(t *testing.T) {
	g := before(t, mcpauth.Rules{Resources: map[string]scopes.Rule{"orders://{+id}": scopes.AnyToken()}})
	listen := func(each ...string) string {
		var messages []string
		for n, uris := range each {
			messages = append(messages, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":[%s]}}}`, n, strings.TrimSuffix(uris, ",")))
		}
		return "[" + strings.Join(messages, ",") + "]"
	}
	some := func(n, length int) string {
		return strings.Repeat(`"orders://`+strings.Repeat("x", length-len("orders://"))+`",`, n)
	}
	h, _ := request(oldest, "subscriptions/listen", nil)
	for name, tc := range map[string]struct {
		body   string
		status int
	}{
		"256 of 64 bytes":       {listen(some(256, 64)), 204},
		"in two messages":       {listen(some(128, 64), some(128, 64)), 204},
		"one more":              {listen(some(128, 10), some(129, 10)), 400},
		"a byte more":           {listen(some(255, 64), some(1, 65)), 400},
		"two long ones":         {listen(some(2, 8<<10)), 204},
		"very many in messages": {listen(some(256, 20), some(256, 20), some(256, 20)), 400},
	} {
		if res := g.ask("POST", g.token("other"), h, tc.body); res.StatusCode != tc.status {
			t.Errorf("%s: %d, wanted %d", name, res.StatusCode, tc.status)
		}
	}
}

// TestNothingIsResumed: the events of a stream were for whoever might call what it answers.
func TestNothingIsResumed(t *testing.T) {
	g := before(t, rules())
	for _, method := range []string{"GET", "POST", "DELETE"} {
		h, body := request(older, "ping", nil)
		if method != "POST" {
			body = ""
		}
		for want, id := range map[int][]string{204: nil, 400: {""}} {
			if h["Last-Event-Id"] = id; id == nil {
				delete(h, "Last-Event-Id")
			}
			if res := g.ask(method, g.token("orders:read"), h, body); res.StatusCode != want {
				t.Errorf("%s with Last-Event-ID %q: %d, wanted %d", method, id, res.StatusCode, want)
			}
		}
	}
}

// TestNamelessTokensShareNothing: tokens that name neither a client nor a user are told
// apart by nobody, so that none has a session.
func TestNamelessTokensShareNothing(t *testing.T) {
	g := before(t, rules())
	h, body := request(older, "ping", nil)
	for name, tc := range map[string]struct {
		extra   map[string]any
		session bool
		status  int
	}{
		"neither":                    {map[string]any{"client_id": nil, "sub": nil}, true, 400},
		"neither, without a session": {map[string]any{"client_id": nil, "sub": nil}, false, 204},
		"a client":                   {map[string]any{"sub": nil}, true, 204},
		"a user":                     {map[string]any{"client_id": nil, "sub": "u"}, true, 204},
	} {
		h.Del("Mcp-Session-Id")
		if tc.session {
			h.Set("Mcp-Session-Id", "x")
		}
		token := g.iss.Token(issuertest.Claims{Audience: []string{public}, Extra: tc.extra})
		if res := g.ask("POST", token, h, body); res.StatusCode != tc.status {
			t.Errorf("%s: %d, wanted %d", name, res.StatusCode, tc.status)
		}
	}
}
