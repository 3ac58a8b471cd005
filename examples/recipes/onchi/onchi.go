// Package onchi is an API on chi, each route of which says what it needs.
package onchi

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// A route's handler is of one of these, so that one that nobody thought of is found.
type (
	guarded struct{ http.Handler }
	public  struct{ http.Handler }
)

// New is the API, or what is wrong with all of its routes.
func New(v *validator.Validator) (chi.Router, error) {
	auth := httpauth.New(v, nil)
	guard := func(rule scopes.Rule, h http.HandlerFunc) http.Handler { return guarded{auth.Require(rule)(h)} }

	r := chi.NewRouter()
	r.Method("GET", "/orders", guard(scopes.All("orders:read"), listOrders))
	r.Method("POST", "/orders", guard(scopes.Any("orders:write", "orders:admin"), createOrder))
	r.Route("/v2", func(r chi.Router) {
		r.Method("GET", "/orders/{id}", guard(scopes.All("orders:read", "orders:detail"), getOrder))
	})
	r.Method("GET", "/healthz", public{http.HandlerFunc(health)})
	return r, Check(r)
}

// Check names each route that has neither a rule nor is public.
func Check(r chi.Routes) error {
	var faults []error
	err := chi.Walk(r, func(method, path string, h http.Handler, _ ...func(http.Handler) http.Handler) error {
		switch h.(type) {
		case guarded, public:
		default:
			faults = append(faults, fmt.Errorf("%s %s has no rule, wanted guard or public around its handler", method, path))
		}
		return nil
	})
	return errors.Join(append(faults, err)...)
}

func listOrders(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "orders of %s", validator.FromContext(r.Context()).ClientID())
}

func createOrder(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "an order of %s", validator.FromContext(r.Context()).ClientID())
}

func getOrder(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "order %s of %s", chi.URLParam(r, "id"), validator.FromContext(r.Context()).ClientID())
}

func health(http.ResponseWriter, *http.Request) {}
