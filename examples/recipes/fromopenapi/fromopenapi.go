// Package fromopenapi is an API whose OpenAPI file makes both its routes, by
// oapi-codegen, and what each of them needs.
package fromopenapi

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -config oapi-codegen.yaml openapi.yaml

//go:embed openapi.yaml
var file []byte

// New is the API, its router, and the middleware that knows its routes, or all that is
// wrong with the file.
func New(v *validator.Validator) (*http.ServeMux, *httpauth.Middleware, error) {
	rules, err := Rules(file)
	if err != nil {
		return nil, nil, err
	}
	auth, mux := httpauth.New(v, nil), http.NewServeMux()
	router := NewRouter(mux, auth, rules)
	HandlerFromMux(orders{}, router)
	return mux, auth, router.Fault()
}

// Router has each generated route pass a gate before its parameters are read.
type Router struct {
	*http.ServeMux
	auth   *httpauth.Middleware
	rules  map[string]*scopes.Rule
	faults []error
}

// NewRouter registers with mux, by what [Rules] answers.
func NewRouter(mux *http.ServeMux, auth *httpauth.Middleware, rules map[string]*scopes.Rule) *Router {
	return &Router{ServeMux: mux, auth: auth, rules: rules}
}

// HandleFunc is what the generated code calls for each operation.
func (r *Router) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	switch rule, found := r.rules[pattern]; {
	case !found:
		r.faults = append(r.faults, fmt.Errorf("%s is a route, and no operation of openapi.yaml", pattern))
	case rule == nil:
		r.ServeMux.HandleFunc(pattern, h)
	default:
		r.auth.Handle(r.ServeMux, pattern, *rule, http.HandlerFunc(h))
	}
}

// Fault names all routes that have no operation, which are not served.
func (r *Router) Fault() error { return errors.Join(r.faults...) }

// Rules reads what each operation needs from an OpenAPI file, by its method and path;
// nil is for one that says itself that it is for anybody. The error names all faults.
func Rules(file []byte) (map[string]*scopes.Rule, error) {
	doc, err := openapi3.NewLoader().LoadFromData(file)
	if err != nil {
		return nil, err
	}
	rules, faults := make(map[string]*scopes.Rule), []error(nil)
	paths := doc.Paths.Map()
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		operations := paths[path].Operations()
		for _, method := range slices.Sorted(maps.Keys(operations)) {
			pattern, security := method+" "+path, operations[method].Security
			if security != nil && len(*security) == 0 {
				rules[pattern] = nil
				continue
			}
			if security == nil {
				security = &doc.Security
			}
			rule, err := ruleOf(*security)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", pattern, err))
			}
			rules[pattern] = &rule
		}
	}
	return rules, errors.Join(faults...)
}

// ruleOf is one of the alternatives.
func ruleOf(security openapi3.SecurityRequirements) (scopes.Rule, error) {
	if len(security) == 0 {
		return scopes.Rule{}, errors.New("there is no security, wanted scopes, or [] at the operation itself for anybody")
	}
	var either []scopes.Rule
	for _, requirement := range security {
		names, found := requirement["oauth"]
		switch {
		case !found || len(requirement) != 1:
			return scopes.Rule{}, fmt.Errorf("security asks for %v, wanted the scheme oauth alone", requirement)
		case slices.ContainsFunc(names, func(name string) bool { return !scopes.Valid(name) }):
			return scopes.Rule{}, fmt.Errorf("security asks for %q, wanted names of scopes (RFC 6749 §3.3)", names)
		case len(names) == 0:
			either = append(either, scopes.AnyToken())
		default:
			either = append(either, scopes.All(names...))
		}
	}
	return scopes.AnyOf(either...), nil
}
