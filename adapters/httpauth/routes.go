package httpauth

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"

	"github.com/m2mguard/m2mguard/scopes"
)

// RouteInfo is a route that was registered through Handle or HandleGate.
type RouteInfo struct {
	// Pattern is the pattern as the router takes it, after the method and a space.
	Pattern string
	// Scope is the rule in the form of a challenge's scope attribute.
	Scope string
	// Kind is required, or one or several of optional, fresh, policy, bound, live
	// and report-only, with commas between them.
	Kind string
	// Rule is the rule itself.
	Rule scopes.Rule
}

// MarshalJSON writes pattern, kind and scopes, of which each list is enough
// ([scopes.Rule.Alternatives]): what the program m2mguard makes documents of.
//
//	{"pattern": "GET /orders", "kind": "required", "scopes": [["orders:read"]]}
func (r RouteInfo) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Pattern string     `json:"pattern"`
		Kind    string     `json:"kind"`
		Scopes  [][]string `json:"scopes"`
	}{r.Pattern, r.Kind, r.Rule.Alternatives()})
}

// Mux is a router of net/http's kind, such as *http.ServeMux and chi.Router.
type Mux interface {
	Handle(pattern string, handler http.Handler)
}

// registry is what Handle has registered.
type registry struct {
	mu     sync.Mutex
	routes []RouteInfo
}

// Handle registers handler behind Require(rule), and remembers the route for
// Routes. On a chi.Router below another one the pattern is the lower one's.
func (m *Middleware) Handle(mux Mux, pattern string, rule scopes.Rule, handler http.Handler) {
	m.HandleGate(mux, pattern, Gate{Rule: rule}, handler)
}

// HandleGate is Handle for a route that asks for more, or for less.
func (m *Middleware) HandleGate(mux Mux, pattern string, g Gate, handler http.Handler) {
	route := m.Compile(g)
	mux.Handle(pattern, route.Protect(handler))
	route.Remember(pattern)
}

// Remember adds a route to those that Routes lists, for adapters of other
// frameworks.
func (rt *Route) Remember(pattern string) {
	all := &rt.middleware.registry
	all.mu.Lock()
	defer all.mu.Unlock()
	all.routes = append(all.routes, RouteInfo{pattern, rt.gate.Rule.Needs(), rt.gate.kind(), rt.gate.Rule})
}

// Routes lists what was registered through Handle and HandleGate, in that order.
// Routes that were registered in another way are not in it: package guardtest
// finds those.
func (m *Middleware) Routes() []RouteInfo {
	m.registry.mu.Lock()
	defer m.registry.mu.Unlock()
	return slices.Clone(m.registry.routes)
}
