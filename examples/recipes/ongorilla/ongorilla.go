// Package ongorilla is an API on gorilla/mux, each route of which says what it needs.
package ongorilla

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/gorilla/mux"

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
func New(v *validator.Validator) (*mux.Router, error) {
	auth := httpauth.New(v, nil)
	guard := func(rule scopes.Rule, h http.HandlerFunc) http.Handler { return guarded{auth.Require(rule)(h)} }

	r := mux.NewRouter()
	r.Handle("/orders", guard(scopes.All("orders:read"), listOrders)).Methods("GET")
	r.Handle("/orders", guard(scopes.Any("orders:write", "orders:admin"), createOrder)).Methods("POST")
	v2 := r.PathPrefix("/v2").Subrouter()
	v2.Handle("/orders/{id}", guard(scopes.All("orders:read", "orders:detail"), getOrder)).Methods("GET")
	r.Handle("/healthz", public{http.HandlerFunc(health)}).Methods("GET")
	return r, Check(r)
}

// Check names each route that has neither a rule nor is public.
func Check(r *mux.Router) error {
	var faults []error
	err := r.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		switch route.GetHandler().(type) {
		case nil, guarded, public: // nil is a prefix, whose routes come next
		default:
			path, _ := route.GetPathTemplate()
			methods, _ := route.GetMethods() // none is all of them
			faults = append(faults, fmt.Errorf("%q %s has no rule, wanted guard or public around its handler", methods, path))
		}
		if err := route.GetError(); err != nil {
			faults = append(faults, err)
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
	fmt.Fprintf(w, "order %s of %s", mux.Vars(r)["id"], validator.FromContext(r.Context()).ClientID())
}

func health(http.ResponseWriter, *http.Request) {}
