package mcpauth_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/adapters/mcpauth"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator"
)

// TestEventsNameRoutes: an operation is called in events what Routes calls it, and what has no
// rule is refused with the field of Rules that it is missing from.
func TestEventsNameRoutes(t *testing.T) {
	g := guard(t, true, func(vc *validator.Config, _ *mcpauth.Rules, _ *mcpauth.Config) { vc.Observer.Accepted = true })
	var listed []string
	for _, route := range g.auth.Routes() {
		listed = append(listed, route.Pattern)
	}
	named := func(member, value string) map[string]any { return map[string]any{member: value} }
	for _, tc := range []struct {
		version, method string
		params          map[string]any
		scope           string
		routes          []string // of accepted and refused requests
		listed          bool
		says            string
	}{
		{newest, "tools/list", nil, "", []string{"tools/list"}, true, ""},
		{older, "tools/list", nil, "", []string{"mcp"}, true, ""},
		{newest, "tools/call", named("name", "list_orders"), "orders:read", []string{"tools/call list_orders"}, true, ""},
		{newest, "tools/call", named("name", "list_orders"), "", []string{"tools/call list_orders"}, true, "orders:read"},
		{older, "tools/call", named("name", "list_orders"), "", []string{"mcp", "tools/call list_orders"}, true, "orders:read"},
		{newest, "acme/export", nil, "orders:admin", []string{"acme/export"}, true, ""},
		{newest, "tools/call", named("name", "forgotten"), "", []string{"mcp", "tools/call"}, false, "Rules.Tools"},
		{newest, "resources/read", named("uri", "orders://hidden"), "", []string{"mcp", "resources/read"}, false, "Rules.Resources"},
		{newest, "acme/forgotten", nil, "", []string{"mcp", "mcp"}, true, "Rules.Methods"},
	} {
		g.mu.Lock()
		g.events = nil
		g.mu.Unlock()
		h, body := request(tc.version, tc.method, tc.params)
		g.ask("POST", g.token(tc.scope), h, body)
		var routes []string
		var last observe.Event
		g.mu.Lock()
		for _, e := range g.events {
			if e.Kind == observe.Accepted || e.Kind == observe.Refused {
				routes, last = append(routes, e.Route), e
			}
		}
		g.mu.Unlock()
		if !slices.Equal(routes, tc.routes) || tc.listed != slices.Contains(listed, last.Route) {
			t.Errorf("%s of %s, %v: told of %q, wanted %q, of %q", tc.method, tc.version, tc.params, routes, tc.routes, listed)
		}
		if text := fmt.Sprint(last.Err); !strings.Contains(text, tc.says) || (tc.says == "") != (last.Err == nil) {
			t.Errorf("%s of %s, %v: %s, wanted %s in it", tc.method, tc.version, tc.params, text, tc.says)
		}
	}
}
