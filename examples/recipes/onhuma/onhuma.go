// Package onhuma is an API on Huma v2, whose OpenAPI document says what each operation
// needs, and is what the gate goes by.
package onhuma

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// guarded has every operation pass a gate, which Huma does not do by itself. Groups,
// prefixes, hidden operations and Huma's own pages all come through Handle.
type guarded struct {
	huma.Adapter
	auth   *httpauth.Middleware
	public []string
}

// Guard puts a gate around what is registered with a. The names of operations that are
// for anybody are their methods and paths.
func Guard(a huma.Adapter, auth *httpauth.Middleware, public ...string) huma.Adapter {
	return guarded{a, auth, public}
}

func (g guarded) Handle(op *huma.Operation, next func(huma.Context)) {
	pattern := op.Method + " " + op.Path
	if op.Security == nil && slices.Contains(g.public, pattern) {
		g.Adapter.Handle(op, next)
		return
	}
	gate := g.auth.Compile(httpauth.Gate{Rule: ruleOf(op)})
	gate.Remember(pattern)
	g.Adapter.Handle(op, func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		admitted, failure := gate.Admit(w.Header(), r, pattern)
		if failure != nil {
			g.auth.Fail(w, r, failure)
			return
		}
		next(huma.WithContext(ctx, admitted.Context()))
	})
}

// ruleOf is one of op's alternatives, or for none the zero Rule, which lets nobody in.
// Like huma.Register, it panics if an operation is wrong.
func ruleOf(op *huma.Operation) scopes.Rule {
	var either []scopes.Rule
	for _, requirement := range op.Security {
		names, found := requirement["oauth"]
		switch {
		case !found || len(requirement) != 1:
			panic(fmt.Sprintf("%s %s: Security asks for %v, wanted the scheme oauth alone", op.Method, op.Path, requirement))
		case len(names) == 0:
			either = append(either, scopes.AnyToken())
		default:
			either = append(either, scopes.All(names...))
		}
	}
	return scopes.AnyOf(either...)
}

// New is the API, its router, and the middleware that knows its routes.
func New(v *validator.Validator) (huma.API, *http.ServeMux, *httpauth.Middleware) {
	auth, mux := httpauth.New(v, nil), http.NewServeMux()
	config := huma.DefaultConfig("Orders", "1")
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"oauth": {
		Type: "oauth2",
		Flows: &huma.OAuthFlows{ClientCredentials: &huma.OAuthFlow{
			TokenURL: "https://id.example.com/token",
			Scopes:   map[string]string{"orders:read": "Read orders", "orders:write": "Write orders", "orders:admin": "All of it"},
		}},
	}}
	api := huma.NewAPI(config, Guard(humago.NewAdapter(mux, ""), auth, "GET /openapi.json", "GET /healthz"))

	huma.Register(api, huma.Operation{
		OperationID: "list-orders", Method: "GET", Path: "/orders",
		Security: []map[string][]string{{"oauth": {"orders:read"}}},
	}, listOrders)
	huma.Register(api, huma.Operation{
		OperationID: "create-order", Method: "POST", Path: "/orders", DefaultStatus: http.StatusOK,
		Security: []map[string][]string{{"oauth": {"orders:write"}}, {"oauth": {"orders:admin"}}}, // one of them
	}, listOrders)
	huma.Register(api, huma.Operation{OperationID: "health", Method: "GET", Path: "/healthz"}, health)
	return api, mux, auth
}

type answer struct{ Body string }

func listOrders(ctx context.Context, _ *struct{}) (*answer, error) {
	return &answer{"orders of " + validator.FromContext(ctx).ClientID()}, nil
}

func health(context.Context, *struct{}) (*struct{}, error) { return nil, nil }
