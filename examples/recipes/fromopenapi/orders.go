package fromopenapi

import (
	"fmt"
	"net/http"

	"github.com/m2mguard/m2mguard/validator"
)

// orders are the handlers.
type orders struct{}

var _ ServerInterface = orders{}

func (orders) ListOrders(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "orders of %s", validator.FromContext(r.Context()).ClientID())
}

func (orders) CreateOrder(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "an order of %s", validator.FromContext(r.Context()).ClientID())
}

func (orders) GetOrder(w http.ResponseWriter, r *http.Request, id int) {
	fmt.Fprintf(w, "order %d of %s", id, validator.FromContext(r.Context()).ClientID())
}

func (orders) Health(http.ResponseWriter, *http.Request) {}
